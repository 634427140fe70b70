import type { RunResult, StopReason, WakeUp } from '../ports/platform-scheduler.ts';
import type { DeviceFacts } from '../ports/device-state.ts';
import type { Writer } from '../queue/writer.ts';
import type { TaskResult } from './budgeted-run.ts';
import type { UnmetConstraint } from './unmet-constraints.ts';

/** What one wake-up did. A record without an end belongs to a run that was killed. */
export interface JournalRecord {
  readonly runId: string;
  /** The request that woke us. */
  readonly requestId: string;
  readonly reason: WakeUp['reason'];
  readonly appState: WakeUp['appState'];
  readonly attempt: number;
  /** Epoch milliseconds. */
  readonly beganAt: number;
  readonly endedAt: number | null;
  readonly device: DeviceFacts;
  readonly unmet: readonly UnmetConstraint[];
  readonly pushed: number;
  readonly pulled: number;
  readonly remaining: number | null;
  readonly stoppedBy: string | null;
  /** Why the system ended the run, if it did. */
  readonly stopReason: StopReason | null;
  readonly result: RunResult | null;
  readonly tasks: readonly TaskResult[];
  readonly error: string | null;
}

/** So many records are kept. */
export const JOURNAL_LIMIT = 200;

/** What a service remembers beyond its process. */
export interface ServiceState {
  readonly status: string;
  /** Epoch milliseconds of wake-ups for critical writes, asked for within the last hour. */
  readonly criticalAskedAt: readonly number[];
  /** Since when a constraint is unmet, epoch milliseconds. */
  readonly unmetSince: { readonly [constraint: string]: number };
  /** What the host refused when it was last asked. */
  readonly refusal: { readonly code: string; readonly message: string; readonly at: number } | null;
}

export const NEW_STATE: ServiceState = {
  status: 'idle',
  criticalAskedAt: [],
  unmetSince: {},
  refusal: null,
};

/** Where journal and state are kept. Records outlive the process; the oldest go. */
export interface Journal {
  begin(record: JournalRecord): Promise<number>;
  update(id: number, record: JournalRecord): Promise<void>;
  /** Oldest first. */
  records(): Promise<readonly JournalRecord[]>;
  readState(): Promise<ServiceState>;
  writeState(state: ServiceState): Promise<void>;
}

/** Keeps the journal beside the queue, in the same database. */
export class StoredJournal implements Journal {
  readonly #writer: Writer;
  readonly #open: () => Promise<void>;

  constructor(writer: Writer, open: () => Promise<void>) {
    this.#writer = writer;
    this.#open = open;
  }

  async begin(record: JournalRecord): Promise<number> {
    await this.#open();
    return this.#writer.write(async (uow) => {
      const [last] = await uow.scan('journal', { reverse: true, limit: 1 });
      const id = ((last?.['id'] as number | undefined) ?? 0) + 1;
      uow.put('journal', [id], { id, record: JSON.stringify(record) });
      const old = await uow.scan('journal', { to: [id - JOURNAL_LIMIT], limit: JOURNAL_LIMIT });
      for (const { id: gone } of old) uow.delete('journal', [gone as number]);
      return id;
    });
  }

  async update(id: number, record: JournalRecord): Promise<void> {
    await this.#open();
    await this.#writer.write((uow) =>
      uow.put('journal', [id], { id, record: JSON.stringify(record) }),
    );
  }

  async records(): Promise<readonly JournalRecord[]> {
    await this.#open();
    const records = await this.#writer.read((uow) => uow.scan('journal', { limit: JOURNAL_LIMIT }));
    return records.map(({ record }) => JSON.parse(record as string) as JournalRecord);
  }

  async readState(): Promise<ServiceState> {
    await this.#open();
    const record = await this.#writer.read((uow) => uow.get('meta', ['background']));
    return record === undefined
      ? NEW_STATE
      : { ...NEW_STATE, ...(JSON.parse(record['value'] as string) as ServiceState) };
  }

  async writeState(state: ServiceState): Promise<void> {
    await this.#open();
    const value = JSON.stringify(state);
    await this.#writer.write((uow) =>
      uow.put('meta', ['background'], { name: 'background', value }),
    );
  }
}

/** Keeps the journal for the life of the process: for a service without a store. */
export class TransientJournal implements Journal {
  readonly #records: JournalRecord[] = [];
  #state: ServiceState = NEW_STATE;

  async begin(record: JournalRecord): Promise<number> {
    this.#records.push(record);
    return this.#records.length - 1;
  }

  async update(id: number, record: JournalRecord): Promise<void> {
    this.#records[id] = record;
  }

  async records(): Promise<readonly JournalRecord[]> {
    return this.#records.slice(-JOURNAL_LIMIT);
  }

  async readState(): Promise<ServiceState> {
    return this.#state;
  }

  async writeState(state: ServiceState): Promise<void> {
    this.#state = state;
  }
}
