import type { UnitOfWork } from '../queue/unit-of-work.ts';
import type { Writer } from '../queue/writer.ts';
import {
  JOURNAL_LIMIT,
  type Journal,
  type JournalEntry,
  type JournalRecord,
  type NumberedRecord,
  type Revision,
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
      const id = (await lastIdIn(uow)) + 1;
      putRecord(uow, id, record);
      await dropOld(uow, id);
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
    return (await this.#writer.read(recordsIn)).map(({ record }) => record);
  }

  async readState(): Promise<ServiceState> {
    await this.#open();
    return this.#writer.read(readStateIn);
  }

  async changeState(change: StateChange): Promise<ServiceState> {
    await this.#open();
    return this.#writer.write((uow) => changeStateIn(uow, change));
  }

  async revise(decide: (known: readonly NumberedRecord[]) => Revision): Promise<void> {
    await this.#open();
    await this.#writer.write(async (uow) => {
      const { changed, added } = decide(await recordsIn(uow));
      for (const { id, record } of changed) putRecord(uow, id, record);
      let id = await lastIdIn(uow);
      for (const record of added) putRecord(uow, ++id, record);
      await dropOld(uow, id);
    });
  }
}

async function lastIdIn(uow: UnitOfWork): Promise<number> {
  const [last] = await uow.scan('journal', { reverse: true, limit: 1 });
  return (last?.['id'] as number | undefined) ?? 0;
}

/** Oldest first. */
async function recordsIn(uow: UnitOfWork): Promise<readonly NumberedRecord[]> {
  const stored = await uow.scan('journal', { reverse: true, limit: JOURNAL_LIMIT });
  return [...stored]
    .reverse()
    .flatMap(({ id, record }) =>
      parseRecord(record as string).map((parsed) => ({ id: id as number, record: parsed })),
    );
}

async function dropOld(uow: UnitOfWork, lastId: number): Promise<void> {
  const old = await uow.scan('journal', { to: [lastId - JOURNAL_LIMIT], limit: JOURNAL_LIMIT });
  for (const { id } of old) uow.delete('journal', [id as number]);
}

function putRecord(uow: UnitOfWork, id: number, record: JournalRecord): void {
  uow.put('journal', [id], { id, record: JSON.stringify(record) });
}

/** A damaged record is left out: the others still tell their part. */
function parseRecord(text: string): readonly JournalRecord[] {
  try {
    // Earlier versions knew of their own runs only.
    return [{ source: 'service', ...(JSON.parse(text) as Omit<JournalRecord, 'source'>) }];
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
