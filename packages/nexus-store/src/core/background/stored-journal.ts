import type { UnitOfWork } from '../queue/unit-of-work.ts';
import type { Writer } from '../queue/writer.ts';
import {
  JOURNAL_LIMIT,
  type Journal,
  type JournalEntry,
  type JournalRecord,
  type StateChange,
} from './journal.ts';
import { NEW_STATE, parseState, type ServiceState } from './service-state.ts';

const STATE = 'background';

/** Keeps the journal beside the queue, in the same database. Each step is one commit. */
export class StoredJournal implements Journal {
  readonly #writer: Writer;
  readonly #open: () => Promise<void>;

  constructor(writer: Writer, open: () => Promise<void>) {
    this.#writer = writer;
    this.#open = open;
  }

  async begin(record: JournalRecord, change: StateChange): Promise<JournalEntry> {
    await this.#open();
    return this.#writer.write(async (uow) => {
      const [last] = await uow.scan('journal', { reverse: true, limit: 1 });
      const id = ((last?.['id'] as number | undefined) ?? 0) + 1;
      putRecord(uow, id, record);
      const old = await uow.scan('journal', { to: [id - JOURNAL_LIMIT], limit: JOURNAL_LIMIT });
      for (const { id: gone } of old) uow.delete('journal', [gone as number]);
      return { id, state: await changeStateIn(uow, change) };
    });
  }

  async end(id: number, record: JournalRecord, change: StateChange): Promise<ServiceState> {
    await this.#open();
    return this.#writer.write((uow) => {
      putRecord(uow, id, record);
      return changeStateIn(uow, change);
    });
  }

  async records(): Promise<readonly JournalRecord[]> {
    await this.#open();
    const stored = await this.#writer.read((uow) =>
      uow.scan('journal', { reverse: true, limit: JOURNAL_LIMIT }),
    );
    return stored.toReversed().flatMap(({ record }) => parseRecord(record as string));
  }

  async readState(): Promise<ServiceState> {
    await this.#open();
    return this.#writer.read(readStateIn);
  }

  async changeState(change: StateChange): Promise<ServiceState> {
    await this.#open();
    return this.#writer.write((uow) => changeStateIn(uow, change));
  }
}

function putRecord(uow: UnitOfWork, id: number, record: JournalRecord): void {
  uow.put('journal', [id], { id, record: JSON.stringify(record) });
}

/** A damaged record is left out: the others still tell their part. */
function parseRecord(text: string): readonly JournalRecord[] {
  try {
    return [JSON.parse(text) as JournalRecord];
  } catch {
    return [];
  }
}

async function readStateIn(uow: UnitOfWork): Promise<ServiceState> {
  const record = await uow.get('meta', [STATE]);
  return record === undefined ? NEW_STATE : parseState(record['value'] as string);
}

async function changeStateIn(uow: UnitOfWork, change: StateChange): Promise<ServiceState> {
  const before = await readStateIn(uow);
  const after = change(before);
  const value = JSON.stringify(after);
  if (value !== JSON.stringify(before)) uow.put('meta', [STATE], { name: STATE, value });
  return after;
}
