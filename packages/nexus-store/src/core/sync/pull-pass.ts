import { isNexusError } from '../model/errors.ts';
import { encodeValue } from '../model/value-codec.ts';
import type { PulledRow, PullPage } from '../ports/remote.ts';
import { rebaseOnPull } from '../queue/conflict.ts';
import { findEntry } from '../queue/lanes.ts';
import { emptyRow, type RowRecord } from '../queue/records.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import type { RunWindow } from './run-window.ts';
import type { Principal, SyncContext } from './sync-context.ts';

/** Where the pull of one collection stands; the record `cursor:<partition>:<collection>` of `meta`. */
interface PullState {
  readonly cursor: string | null;
  /** While everything is fetched anew: rows not seen since then are gone on the server. */
  readonly sweepFrom: number | null;
}

const START: PullState = { cursor: null, sweepFrom: null };
const SWEEP_CHUNK = 500;

/** Fetches what changed on the server, collection by collection, page by page. */
export class PullPass {
  readonly #context: SyncContext;
  readonly #principal: Principal;
  readonly #window: RunWindow;
  pulled = 0;

  constructor(context: SyncContext, window: RunWindow) {
    this.#context = context;
    this.#principal = context.principal();
    this.#window = window;
  }

  /**
   * Pulls one collection until the server has no more.
   *
   * @throws RemoteError when the server cannot be asked
   * @returns false if the window ended first
   */
  async pull(collection: string): Promise<boolean> {
    let count = 0;
    let isFull = false;
    for (;;) {
      if (!this.#window.fits(0)) return false;
      const state = await this.#context.writer.read((uow) => this.#readState(uow, collection));
      const page = await this.#fetch(collection, state);
      if (page === 'expired') {
        await this.#startOver(collection, state);
        continue;
      }
      isFull ||= state.cursor === null;
      count += await this.#store(collection, state, page);
      if (!page.hasMore) break;
    }
    this.pulled += count;
    if (count > 0) this.#context.emit({ type: 'rows-pulled', collection, count, isFull });
    return true;
  }

  async #fetch(collection: string, state: PullState): Promise<PullPage | 'expired'> {
    const { remote, runtime, options } = this.#context;
    const controller = new AbortController();
    const onEnd = (): void => controller.abort(this.#window.end);
    this.#window.signal.addEventListener('abort', onEnd, { once: true });
    const timeoutMs = Math.min(options.requestTimeoutMs, this.#window.leftMs);
    const cancelTimeout = runtime.timers.after(timeoutMs, () => controller.abort('timeout'));
    try {
      return await remote.pull(
        { collection, cursor: state.cursor, limit: options.pullLimit },
        { signal: controller.signal, now: runtime.clock.now(), principal: this.#principal.id },
      );
    } catch (error) {
      if (state.cursor !== null && isNexusError(error, 'remote/cursor-expired')) return 'expired';
      throw error;
    } finally {
      cancelTimeout();
      this.#window.signal.removeEventListener('abort', onEnd);
    }
  }

  /** The server no longer knows what changed since the cursor: everything is fetched, then compared. */
  async #startOver(collection: string, state: PullState): Promise<void> {
    const { writer, runtime } = this.#context;
    await writer.write((uow) => {
      const sweepFrom = state.sweepFrom ?? runtime.clock.now();
      this.#writeState(uow, collection, { cursor: null, sweepFrom });
    });
  }

  /** The rows of a page and its cursor, in one transaction. */
  async #store(collection: string, state: PullState, page: PullPage): Promise<number> {
    const { writer, runtime } = this.#context;
    const { partition } = this.#principal;
    const keys = page.rows.map(({ id }) => ({ partition, collection, id }));
    return writer.write(
      async (uow) => {
        const current = await this.#readState(uow, collection);
        // Another context pulled meanwhile: this page may be older than what is stored.
        if (current.cursor !== state.cursor || current.sweepFrom !== state.sweepFrom) return 0;
        await uow.preloadRows(keys);
        const now = runtime.clock.now();
        for (const row of page.rows) await this.#apply(uow, collection, row, now);
        const isSwept = !page.hasMore && state.sweepFrom !== null;
        if (isSwept) await this.#sweep(uow, collection, state.sweepFrom);
        this.#writeState(uow, collection, {
          cursor: page.cursor,
          sweepFrom: isSwept ? null : state.sweepFrom,
        });
        return page.rows.length;
      },
      { cost: page.rows.length, rows: keys },
    );
  }

  async #apply(uow: UnitOfWork, collection: string, pulled: PulledRow, now: number): Promise<void> {
    const { partition } = this.#principal;
    const row =
      (await uow.row(partition, collection, pulled.id)) ??
      emptyRow(partition, collection, pulled.id);
    const value = pulled.isDeleted ? null : encodeValue(pulled.value);
    if (row.depth === 0) {
      storeServerRow(uow, row, value, pulled.version, now);
      return;
    }
    const touched = { ...row, fetchedAt: now };
    if (row.version === pulled.version) {
      uow.putRow(touched);
      return;
    }
    const head = row.head === null ? undefined : await findEntry(uow, partition, row.head);
    const isEcho = head !== undefined && head.idempotencyKey === pulled.operationId;
    const rules = this.#context.rulesOf(collection);
    await rebaseOnPull(uow, touched, { value, version: pulled.version }, isEcho, rules);
  }

  /** Rows that a full pull did not bring are gone on the server. */
  async #sweep(uow: UnitOfWork, collection: string, sweepFrom: number): Promise<void> {
    const { partition } = this.#principal;
    let after: RowRecord['id'] | undefined;
    for (;;) {
      const rows = (await uow.scan('rows', {
        prefix: [partition, collection],
        ...(after === undefined ? {} : { from: [after], fromOpen: true }),
        limit: SWEEP_CHUNK,
      })) as unknown as readonly RowRecord[];
      for (const row of rows) {
        const isKnownToServer = row.version !== null;
        if (!isKnownToServer || (row.fetchedAt ?? 0) >= sweepFrom) continue;
        if (row.depth === 0) uow.deleteRow(row);
        else
          await rebaseOnPull(
            uow,
            row,
            { value: null, version: null },
            false,
            this.#context.rulesOf(collection),
          );
      }
      if (rows.length < SWEEP_CHUNK) return;
      after = rows.at(-1)?.id;
    }
  }

  async #readState(uow: UnitOfWork, collection: string): Promise<PullState> {
    const record = await uow.get('meta', [this.#name(collection)]);
    return record === undefined ? START : (JSON.parse(record['value'] as string) as PullState);
  }

  #writeState(uow: UnitOfWork, collection: string, state: PullState): void {
    const name = this.#name(collection);
    uow.put('meta', [name], { name, value: JSON.stringify(state) });
  }

  #name(collection: string): string {
    return `cursor:${this.#principal.partition}:${collection}`;
  }
}

function storeServerRow(
  uow: UnitOfWork,
  row: RowRecord,
  value: string | null,
  version: string,
  now: number,
): void {
  if (value === null) {
    if (row.value !== null || row.version !== null) uow.deleteRow(row);
    return;
  }
  uow.putRow({ ...row, value, version, fetchedAt: now });
}
