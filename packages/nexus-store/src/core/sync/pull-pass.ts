import type { EntityId } from '../model/entry.ts';
import { isNexusError, RemoteError } from '../model/errors.ts';
import { encodeValue } from '../model/value-codec.ts';
import type { PulledRow, PullPage } from '../ports/remote.ts';
import { rebaseOnPull } from '../queue/conflict.ts';
import { findEntry } from '../queue/lanes.ts';
import { emptyRow, type RowRecord } from '../queue/records.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import type { GateWatch } from './gate-watch.ts';
import { limitedSignal, withPatience } from './patience.ts';
import { readPullState, writePullState, type PullState } from './pull-state.ts';
import type { RunWindow } from './run-window.ts';
import { ABORT_GRACE_MS } from './send-batch.ts';
import type { Principal, SyncContext } from './sync-context.ts';
import { latestFetch, sweepRows } from './sweep-rows.ts';

/** A page that was overtaken by acknowledgements is fetched again so often, then taken as it is. */
const MAX_REFETCHES = 3;

export type PullEnd = 'done' | 'ended' | 'held';

/** A row of a page with its value as text. */
interface StorableRow extends Omit<PulledRow, 'value'> {
  readonly text: string | null;
}

interface Page extends Omit<PullPage, 'rows'> {
  readonly rows: readonly StorableRow[];
}

/** Fetches what changed on the server, collection by collection, page by page. */
export class PullPass {
  readonly #context: SyncContext;
  readonly #principal: Principal;
  readonly #window: RunWindow;
  readonly #gates: GateWatch;
  /** Entities whose writes the server acknowledged since the request for the page left. */
  #acknowledged = new Set<EntityId>();
  #collection: string | undefined;
  pulled = 0;

  constructor(context: SyncContext, principal: Principal, window: RunWindow, gates: GateWatch) {
    this.#context = context;
    this.#gates = gates;
    this.#principal = principal;
    this.#window = window;
  }

  /** The server acknowledged a write: a page asked for before may not know of it. */
  onApplied(collection: string, id: EntityId): void {
    if (collection === this.#collection) this.#acknowledged.add(id);
  }

  /**
   * Pulls one collection until the server has no more.
   *
   * @param beforePage called before each page; false ends the pull
   * @throws RemoteError when the server cannot be asked, or its answer cannot be used
   * @returns `ended`, `held`: the time was over, or the server asked to wait, before it had no more
   */
  async pull(
    collection: string,
    beforePage: () => Promise<boolean> = async () => true,
  ): Promise<PullEnd> {
    this.#collection = collection;
    const progress = { count: 0, isFull: false };
    try {
      return await this.#pullPages(collection, beforePage, progress);
    } finally {
      this.pulled += progress.count;
      if (progress.count > 0) this.#context.emit({ type: 'rows-pulled', collection, ...progress });
    }
  }

  async #pullPages(
    collection: string,
    beforePage: () => Promise<boolean>,
    progress: { count: number; isFull: boolean },
  ): Promise<PullEnd> {
    let isStartedOver = false;
    for (let refetches = 0; ;) {
      if (!(await beforePage()) || !this.#window.fits(0)) return 'ended';
      const { state, isPermitted } = await this.#look(collection);
      if (!isPermitted) return 'held';
      if (state.cursor === null && state.sweepFrom === null) {
        // The first pull of all: rows known from acknowledgements may be gone on the server by now.
        await this.#startOver(collection);
        continue;
      }
      this.#acknowledged = new Set();
      const page = await this.#fetch(collection, state);
      if (page === 'expired') {
        if (isStartedOver) throw protocolError('the server expires cursors as it gives them out');
        isStartedOver = true;
        await this.#startOver(collection);
        continue;
      }
      if (this.#isOvertaken(page) && refetches < MAX_REFETCHES) {
        refetches += 1;
        continue;
      }
      progress.isFull ||= state.cursor === null;
      progress.count += await this.#store(collection, state, page);
      if (!page.hasMore) return 'done';
    }
  }

  /** Where the collection stands, and whether the server may be called at all. */
  #look(collection: string): Promise<{ state: PullState; isPermitted: boolean }> {
    return this.#context.writer.read(async (uow) => ({
      isPermitted: await this.#gates.permits(uow),
      state: await this.#readState(uow, collection),
    }));
  }

  #isOvertaken(page: Page): boolean {
    return this.#acknowledged.size > 0 && page.rows.some(({ id }) => this.#acknowledged.has(id));
  }

  async #fetch(collection: string, state: PullState): Promise<Page | 'expired'> {
    const { remote, runtime, options } = this.#context;
    const timeoutMs = Math.min(options.requestTimeoutMs, this.#window.leftMs);
    const limited = limitedSignal(runtime.timers, this.#window.signal, timeoutMs);
    const { signal } = limited;
    const maySend = (): boolean => this.#window.leftMs > 0 && this.#gates.isPassable;
    const ask = async (): Promise<PullPage> =>
      remote.pull(
        { collection, cursor: state.cursor, limit: options.pullLimit },
        { signal, maySend, now: runtime.clock.now(), principal: this.#principal.id },
      );
    const late = (): never => {
      throw new RemoteError('remote/timeout', 'the server did not answer in time');
    };
    try {
      return usable(await withPatience(runtime.timers, ask(), signal, ABORT_GRACE_MS, late), state);
    } catch (error) {
      if (state.cursor !== null && isNexusError(error, 'remote/cursor-expired')) return 'expired';
      throw asRemoteError(error);
    } finally {
      limited.release();
    }
  }

  /** The server no longer knows what changed since the cursor: everything is fetched, then compared. */
  async #startOver(collection: string): Promise<void> {
    const { writer, runtime } = this.#context;
    await writer.write(async (uow) => {
      const { sweepFrom } = await this.#readState(uow, collection);
      // Later than anything fetched so far, also by an earlier start that was cut off, and by a clock
      // that was ahead of today's.
      const latest = await latestFetch(uow, this.#principal.partition, collection);
      const from = Math.max(runtime.clock.now(), sweepFrom ?? 0, latest) + 1;
      writePullState(uow, this.#principal.partition, collection, { cursor: null, sweepFrom: from });
    });
  }

  /** The rows of a page and its cursor, in one transaction. Returns how many were stored. */
  async #store(collection: string, state: PullState, page: Page): Promise<number> {
    const { writer, runtime, rulesOf } = this.#context;
    const { partition } = this.#principal;
    const keys = page.rows.map(({ id }) => ({ partition, collection, id }));
    return writer.write(
      async (uow) => {
        const current = await this.#readState(uow, collection);
        // Another context pulled meanwhile: this page may be older than what is stored.
        if (current.cursor !== state.cursor || current.sweepFrom !== state.sweepFrom) return 0;
        await uow.preloadRows(keys);
        // Never before the sweep's beginning, wherever the clock was moved to since.
        const at = Math.max(runtime.clock.now(), state.sweepFrom ?? 0);
        for (const row of page.rows) await this.#apply(uow, collection, row, at);
        const { sweepFrom } = state;
        const isSwept = !page.hasMore && sweepFrom !== null;
        if (isSwept) {
          const isNewer = (id: EntityId): boolean => this.#acknowledged.has(id);
          await sweepRows(uow, partition, collection, sweepFrom, rulesOf(collection), isNewer);
        }
        writePullState(uow, partition, collection, {
          cursor: page.cursor,
          sweepFrom: isSwept ? null : sweepFrom,
        });
        return page.rows.length;
      },
      { cost: page.rows.length, rows: keys },
    );
  }

  async #apply(
    uow: UnitOfWork,
    collection: string,
    pulled: StorableRow,
    at: number,
  ): Promise<void> {
    const { partition } = this.#principal;
    const known = await uow.row(partition, collection, pulled.id);
    const row = known ?? emptyRow(partition, collection, pulled.id);
    if (row.depth === 0) {
      storeServerRow(uow, row, pulled, at);
      return;
    }
    const touched = { ...row, fetchedAt: at };
    if (row.version === pulled.version) {
      uow.putRow(touched);
      return;
    }
    const head = row.head === null ? undefined : await findEntry(uow, partition, row.head);
    const isEcho = head !== undefined && head.idempotencyKey === pulled.operationId;
    const rules = this.#context.rulesOf(collection);
    const remote = { value: pulled.text, version: pulled.version };
    await rebaseOnPull(uow, touched, remote, isEcho, rules);
  }

  #readState(uow: UnitOfWork, collection: string): Promise<PullState> {
    return readPullState(uow, this.#principal.partition, collection);
  }
}

function storeServerRow(uow: UnitOfWork, row: RowRecord, pulled: StorableRow, at: number): void {
  if (pulled.text !== null) {
    uow.putRow({ ...row, value: pulled.text, version: pulled.version, fetchedAt: at });
  } else if (row.value !== null || row.version !== null) {
    uow.deleteRow(row);
  }
}

/**
 * The page as it can be stored: a page that cannot must not move the cursor.
 *
 * @throws RemoteError `remote/protocol`
 */
function usable(page: PullPage, state: PullState): Page {
  if (!Array.isArray(page?.rows) || typeof page.cursor !== 'string')
    throw protocolError('the page has no rows or no cursor');
  if (page.hasMore && page.cursor === state.cursor)
    throw protocolError('there is more, and the cursor does not move');
  const rows = page.rows.map(({ value, ...row }: PulledRow): StorableRow => {
    return { ...row, text: row.isDeleted ? null : encodeValue(value) };
  });
  return { ...page, rows };
}

function protocolError(message: string): RemoteError {
  return new RemoteError('remote/protocol', message);
}

/** A remote that throws anything else has broken its law. */
function asRemoteError(error: unknown): RemoteError {
  if (error instanceof RemoteError) return error;
  if (isNexusError(error) && error.code.startsWith('remote/')) return error as RemoteError;
  return new RemoteError('remote/protocol', `the pull failed: ${String(error)}`, { cause: error });
}
