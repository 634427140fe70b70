import type { EntryId } from '../model/entry.ts';
import { StoppedError, StorageError } from '../model/errors.ts';
import type { SyncEvent } from '../model/events.ts';
import { departureOf } from '../queue/departures.ts';
import { seqOfEntryId } from '../queue/entry-view.ts';
import { findEntry } from '../queue/lanes.ts';
import { detailOf, type EntryRecord } from '../queue/records.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import type { Writer } from '../queue/writer.ts';
import type { Settled } from './write.ts';

/** So many fates are remembered for those who ask late. */
const REMEMBERED = 1_000;

interface Waiter {
  readonly partition: number;
  readonly resolve: (settled: Settled) => void;
  readonly reject: (error: unknown) => void;
}

/** What became of entries, for `Write.synced`. */
export class EntryFates {
  readonly #writer: Writer;
  readonly #waiting = new Map<EntryId, Set<Waiter>>();
  readonly #known = new Map<EntryId, Settled>();
  #isClosed = false;

  constructor(writer: Writer) {
    this.#writer = writer;
  }

  onEvent(event: SyncEvent): void {
    switch (event.type) {
      case 'entry-applied':
        return this.#settle(event.entryId, { outcome: 'applied', version: event.version });
      case 'entry-buried':
        return this.#settle(event.entryId, { outcome: 'dead', failure: event.failure });
      case 'entry-cancelled':
      case 'entry-discarded':
        return this.#settle(event.entryId, { outcome: 'cancelled' });
      case 'entry-vanished':
        return this.#settle(event.entryId, { outcome: 'vanished' });
      case 'conflict-resolved':
        if (event.use === 'remote') this.#settle(event.entryId, { outcome: 'superseded' });
        return;
      case 'entry-retried':
        this.#known.delete(event.entryId);
        return;
      default:
        return;
    }
  }

  /**
   * @param partition whose entry it is: another user may sign in while somebody waits
   * @throws StoppedError if the signal aborts first
   * @throws StorageError `storage/closed` if the backend is closed first
   */
  of(id: EntryId, partition: number, signal?: AbortSignal): Promise<Settled> {
    const known = this.#known.get(id);
    if (known !== undefined) return Promise.resolve(known);
    return new Promise<Settled>((resolve, reject) => {
      if (this.#isClosed) return reject(closed());
      if (signal?.aborted === true) return reject(new StoppedError('aborted'));
      const waiter = this.#wait(id, partition, { resolve, reject }, signal);
      // It may have been settled elsewhere, or before anyone asked.
      this.#look([id]).catch((error: unknown) => waiter.reject(error));
    });
  }

  #wait(
    id: EntryId,
    partition: number,
    promise: Omit<Waiter, 'partition'>,
    signal: AbortSignal | undefined,
  ): Waiter {
    const onAbort = (): void => {
      waiters.delete(waiter);
      waiter.reject(new StoppedError('aborted'));
    };
    const release = (): void => signal?.removeEventListener('abort', onAbort);
    const waiter: Waiter = {
      partition,
      resolve: (settled) => {
        release();
        promise.resolve(settled);
      },
      reject: (error) => {
        release();
        promise.reject(error);
      },
    };
    const waiters = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiters.add(waiter));
    signal?.addEventListener('abort', onAbort, { once: true });
    return waiter;
  }

  /** Looks in storage for entries that another context may have settled. */
  async check(): Promise<void> {
    if (this.#waiting.size > 0) await this.#look([...this.#waiting.keys()]);
  }

  /** A user's data was erased: what was waited for never reaches the server. */
  onErased(partition: number): void {
    for (const [id, waiters] of this.#waiting) {
      const [first] = waiters;
      if (first?.partition === partition) this.#settle(id, { outcome: 'cancelled' });
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const waiters of this.#waiting.values())
      for (const waiter of waiters) waiter.reject(closed());
    this.#waiting.clear();
  }

  async #look(ids: readonly EntryId[]): Promise<void> {
    // In the line of writes, not beside it: what an earlier commit here did to the entry has been told
    // by then, and absence means that another context settled it.
    const found = await this.#writer.write(async (uow) => {
      const fates: { readonly id: EntryId; readonly settled: Settled }[] = [];
      for (const id of ids) {
        const settled = await this.#fateOf(uow, id);
        if (settled !== undefined) fates.push({ id, settled });
      }
      return fates;
    });
    // A write that shared the commit may have told more by now.
    for (const { id, settled } of found) if (this.#waiting.has(id)) this.#settle(id, settled);
  }

  async #fateOf(uow: UnitOfWork, id: EntryId): Promise<Settled | undefined> {
    const [waiter] = this.#waiting.get(id) ?? [];
    const seq = seqOfEntryId(id);
    if (waiter === undefined || seq === null) return undefined;
    const entry = await this.#latest(uow, waiter.partition, seq);
    if (entry === 'applied') return { outcome: 'applied', version: null };
    if (typeof entry === 'string') return { outcome: entry };
    // What is discarded with its user is erased step by step.
    if (uow.state.isClosed(waiter.partition)) return { outcome: 'cancelled' };
    const { failure } = detailOf(entry);
    return entry.state === 'dead' && failure !== undefined
      ? { outcome: 'dead', failure }
      : undefined;
  }

  /** The entry as it is now, perhaps under a newer seq; or how it left the queue. */
  async #latest(
    uow: UnitOfWork,
    partition: number,
    seq: number,
  ): Promise<EntryRecord | 'applied' | 'cancelled' | 'vanished' | 'superseded'> {
    for (let at = seq; ;) {
      const entry = await findEntry(uow, partition, at);
      if (entry !== undefined) return entry;
      const departure = await departureOf(uow, at);
      if (departure?.outcome !== 'moved') return departure?.outcome ?? 'applied';
      at = departure.to;
    }
  }

  #settle(id: EntryId, settled: Settled): void {
    this.#known.set(id, settled);
    if (this.#known.size > REMEMBERED) {
      const [oldest] = this.#known.keys();
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    for (const waiter of waiting ?? []) waiter.resolve(settled);
  }
}

function closed(): StorageError {
  return new StorageError('storage/closed', 'this backend was closed');
}
