import {
  JOURNAL_LIMIT,
  type Journal,
  type JournalEntry,
  type JournalRecord,
  type NumberedRecord,
  type Revision,
  type StateChange,
} from './journal.ts';
import { NEW_STATE, type ServiceState } from './service-state.ts';

/** Keeps the journal for the life of the process: for a service without a store. */
export class TransientJournal implements Journal {
  readonly #records = new Map<number, JournalRecord>();
  #state: ServiceState = NEW_STATE;
  #nextId = 1;

  async begin(record: JournalRecord, change: StateChange): Promise<JournalEntry> {
    const id = this.#add(record);
    return { id, state: await this.changeState(change) };
  }

  end(id: number, record: JournalRecord, change: StateChange): Promise<ServiceState> {
    if (this.#records.has(id)) this.#records.set(id, record);
    return this.changeState(change);
  }

  async records(): Promise<readonly JournalRecord[]> {
    return [...this.#records.values()];
  }

  async readState(): Promise<ServiceState> {
    return this.#state;
  }

  async changeState(change: StateChange): Promise<ServiceState> {
    this.#state = change(this.#state);
    return this.#state;
  }

  async revise(decide: (known: readonly NumberedRecord[]) => Revision): Promise<void> {
    const { changed, added } = decide([...this.#records].map(([id, record]) => ({ id, record })));
    for (const { id, record } of changed) this.#records.set(id, record);
    for (const record of added) this.#add(record);
  }

  #add(record: JournalRecord): number {
    const id = this.#nextId;
    this.#nextId += 1;
    this.#records.set(id, record);
    this.#records.delete(id - JOURNAL_LIMIT);
    return id;
  }
}
