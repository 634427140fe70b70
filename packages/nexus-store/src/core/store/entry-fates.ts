import type { EntryId } from '../model/entry.ts';
import { StoppedError } from '../model/errors.ts';
import type { SyncEvent } from '../model/events.ts';
import type { StoreBackend } from './store-backend.ts';
import type { Settled } from './write.ts';

/** So many fates are remembered for those who ask late. */
const REMEMBERED = 1_000;

/** What became of entries, for `Write.synced`. */
export class EntryFates {
  readonly #backend: StoreBackend;
  readonly #waiting = new Map<EntryId, Set<(settled: Settled) => void>>();
  readonly #known = new Map<EntryId, Settled>();

  constructor(backend: StoreBackend) {
    this.#backend = backend;
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
      case 'entry-retried':
        this.#known.delete(event.entryId);
        return;
      default:
        return;
    }
  }

  /** @throws StoppedError if the signal aborts first */
  async of(id: EntryId, signal?: AbortSignal): Promise<Settled> {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const settled = new Promise<Settled>((resolve, reject) => {
      const waiting = this.#waiting.get(id) ?? new Set();
      this.#waiting.set(id, waiting.add(resolve));
      const onAbort = (): void => {
        waiting.delete(resolve);
        reject(new StoppedError('aborted'));
      };
      if (signal?.aborted === true) onAbort();
      else signal?.addEventListener('abort', onAbort, { once: true });
    });
    // It may have been settled elsewhere, or before anyone asked.
    await this.#look(id);
    return settled;
  }

  /** Looks in storage for entries that another context may have settled. */
  async check(): Promise<void> {
    for (const id of [...this.#waiting.keys()]) await this.#look(id);
  }

  async #look(id: EntryId): Promise<void> {
    if (!this.#waiting.has(id)) return;
    const entry = await this.#backend.entry(id);
    if (entry === undefined) this.#settle(id, { outcome: 'applied', version: null });
    else if (entry.state === 'dead' && entry.lastFailure !== null) {
      this.#settle(id, { outcome: 'dead', failure: entry.lastFailure });
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
    for (const resolve of waiting ?? []) resolve(settled);
  }
}
