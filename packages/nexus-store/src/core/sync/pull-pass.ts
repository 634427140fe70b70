import { isNexusError, RemoteError } from '../model/errors.ts';
import { encodeValue } from '../model/value-codec.ts';
import { isWellFormed } from '../model/well-formed.ts';
import type { PulledRow, PullPage } from '../ports/remote.ts';
import { acknowledgedSince } from '../queue/acknowledgements.ts';
import { hasOtherId, type CollectionRules } from '../queue/collection-rules.ts';
import { rebaseOnPull } from '../queue/conflict.ts';
import { findEntry } from '../queue/lanes.ts';
import { emptyRow, type RowRecord } from '../queue/records.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import type { GateWatch } from './gate-watch.ts';
import { limitedSignal, withPatience } from './patience.ts';
import { readPullState, writePullState, type PullState } from './pull-state.ts';
import type { RunWindow } from './run-window.ts';
import type { Principal, SyncContext } from './sync-context.ts';
import { noteSynced } from './synced-at.ts';
import { latestFetch, sweepRows } from './sweep-rows.ts';

/** A page that was overtaken by acknowledgements is fetched again so often, then left for a run soon after. */
const MAX_REFETCHES = 3;

/**
 * So many pages in a row may be empty although there is more: a server that filters what it has read gives
 * some. One that gives no end of them would be asked without a pause. What was passed over stays passed.
 */
const MAX_EMPTY_PAGES = 10;

export type PullEnd = 'done' | 'ended' | 'held' | 'overtaken';

/** A row of a page with its value as text. */
interface StorableRow extends Omit<PulledRow, 'value'> {
  readonly text: string | null;
}

interface Page extends Omit<PullPage, 'rows'> {
  readonly rows: readonly StorableRow[];
}

interface Look {
  readonly state: PullState;
  readonly isPermitted: boolean;
  /** How many transactions had stored acknowledgements. */
  readonly acknowledgements: number;
}

/** The keys acknowledged since a page was asked for, by entity. */
type News = NonNullable<Awaited<ReturnType<typeof acknowledgedSince>>>;

/** Fetches what changed on the server, collection by collection, page by page. */
export class PullPass {
  readonly #context: SyncContext;
  readonly #principal: Principal;
  readonly #window: RunWindow;
  readonly #gates: GateWatch;
  #isLast = false;
  pulled = 0;

  constructor(context: SyncContext, principal: Principal, window: RunWindow, gates: GateWatch) {
    this.#context = context;
    this.#gates = gates;
    this.#principal = principal;
    this.#window = window;
  }

  /**
   * Pulls one collection until the server has no more.
   *
   * @param beforePage called before each page; false ends the pull
   * @param isLast with its last page the run has fetched everything
   * @throws RemoteError when the server cannot be asked, or its answer cannot be used
   * @returns `ended`, `held`: the time was over, or the server asked to wait, before it had no more;
   *   `overtaken`: writes of the same rows were acknowledged faster than they could be fetched
   */
  async pull(
    collection: string,
    beforePage: () => Promise<boolean> = async () => true,
    isLast = false,
  ): Promise<PullEnd> {
    this.#isLast = isLast;
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
    let emptyPages = 0;
    for (let refetches = 0; ;) {
      if (!(await beforePage()) || !this.#window.fits(0)) return 'ended';
      const { state, isPermitted, acknowledgements } = await this.#look(collection);
      if (!isPermitted) return 'held';
      if (state.cursor === null && state.sweepFrom === null) {
        // The first pull of all: rows known from acknowledgements may be gone on the server by now.
        await this.#startOver(collection);
        continue;
      }
      // Begun by an earlier run that was cut off before its first page.
      const laterThan = state.cursor === null ? await this.#latest(collection) : null;
      const page = await this.#fetch(collection, state);
      if (page === 'expired') {
        if (isStartedOver) throw protocolError('the server expires cursors as it gives them out');
        isStartedOver = true;
        await this.#startOver(collection);
        continue;
      }
      const count = await this.#store(collection, state, page, { laterThan, acknowledgements });
      if (count === 'overtaken') {
        if (refetches === MAX_REFETCHES) return 'overtaken';
        refetches += 1;
        continue;
      }
      refetches = 0;
      progress.isFull ||= state.cursor === null;
      progress.count += count;
      if (!page.hasMore) return 'done';
      emptyPages = page.rows.length === 0 ? emptyPages + 1 : 0;
      if (emptyPages === MAX_EMPTY_PAGES)
        throw protocolError(`there is more, and ${emptyPages} pages in a row were empty`);
    }
  }

  /** Where the collection stands, and whether the server may be called at all. */
  #look(collection: string): Promise<Look> {
    return this.#context.writer.read(async (uow) => {
      await uow.loadState();
      return {
        isPermitted: await this.#gates.permits(uow),
        state: await this.#readState(uow, collection),
        acknowledgements: uow.state.acknowledgements,
      };
    });
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
      return usable(
        await withPatience(runtime.timers, ask(), signal, () => this.#window.graceMs, late),
        state,
        this.#context.rulesOf(collection),
      );
    } catch (error) {
      if (state.cursor !== null && isNexusError(error, 'remote/cursor-expired')) return 'expired';
      throw asRemoteError(error);
    } finally {
      limited.release();
    }
  }

  /** Later than anything fetched so far, also by a clock that was ahead of today's. */
  async #latest(collection: string): Promise<number> {
    const { writer, runtime } = this.#context;
    const { partition } = this.#principal;
    const latest = await writer.read((uow) => latestFetch(uow, partition, collection));
    return Math.max(runtime.clock.now(), latest) + 1;
  }

  /** The server no longer knows what changed since the cursor: everything is fetched, then compared. */
  async #startOver(collection: string): Promise<void> {
    const { writer, runtime } = this.#context;
    await writer.write(async (uow) => {
      uow.requireOpen(this.#principal.partition);
      const { sweepFrom } = await this.#readState(uow, collection);
      // Later than anything fetched so far, also by an earlier start that was cut off, and by a clock
      // that was ahead of today's.
      const latest = await latestFetch(uow, this.#principal.partition, collection);
      const from = Math.max(runtime.clock.now(), sweepFrom ?? 0, latest) + 1;
      uow.state.raiseFetchFloor(from);
      writePullState(uow, this.#principal.partition, collection, { cursor: null, sweepFrom: from });
    });
  }

  /**
   * The rows of a page and its cursor, in one transaction. Returns how many were stored; `overtaken`, and
   * nothing was, if the server has acknowledged a write of one of them since the page was asked for, and
   * nobody can tell which of both is newer.
   */
  async #store(
    collection: string,
    state: PullState,
    page: Page,
    {
      laterThan,
      acknowledgements,
    }: { readonly laterThan: number | null; readonly acknowledgements: number },
  ): Promise<number | 'overtaken'> {
    const { writer, runtime, rulesOf } = this.#context;
    const { partition } = this.#principal;
    const keys = page.rows.map(({ id }) => ({ partition, collection, id }));
    return writer.write(
      async (uow) => {
        uow.requireOpen(partition);
        const current = await this.#readState(uow, collection);
        // Another context pulled meanwhile: this page may be older than what is stored.
        if (current.cursor !== state.cursor || current.sweepFrom !== state.sweepFrom) return 0;
        const news = await acknowledgedSince(uow, acknowledgements, partition, collection);
        if (page.rows.some((row) => isInDoubt(row, news))) return 'overtaken';
        await uow.preloadRows(keys);
        // What was acknowledged since it was begun, and is not in the first page or later, is gone on the server.
        const from = news?.size === 0 ? Math.max(laterThan ?? 0, state.sweepFrom ?? 0) : 0;
        const sweepFrom = laterThan !== null && from > 0 ? from : state.sweepFrom;
        if (sweepFrom !== null && sweepFrom !== state.sweepFrom)
          uow.state.raiseFetchFloor(sweepFrom);
        const at = uow.state.fetchedAt(runtime.clock.now());
        const fresh = page.rows.filter((row) => isFresh(row, news));
        for (const row of fresh) await this.#apply(uow, collection, row, at);
        const isSwept = !page.hasMore && sweepFrom !== null;
        if (isSwept) {
          await sweepRows(uow, partition, collection, sweepFrom, rulesOf(collection));
        }
        writePullState(uow, partition, collection, {
          cursor: page.cursor,
          sweepFrom: isSwept ? null : sweepFrom,
        });
        if (this.#isLast && !page.hasMore && !this.#defersLow(uow))
          noteSynced(uow, partition, runtime.clock.now());
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

  /** Low entries that wait for a longer window are left, and are not waited for. */
  #defersLow(uow: UnitOfWork): boolean {
    return this.#window.isShort && uow.counters(this.#principal.partition).pending[3] > 0;
  }

  #readState(uow: UnitOfWork, collection: string): Promise<PullState> {
    return readPullState(uow, this.#principal.partition, collection);
  }
}

/**
 * Whether the row may be older or newer than what was acknowledged since the page was asked for. What one
 * of the acknowledged operations made is neither.
 */
function isInDoubt({ id, operationId }: StorableRow, news: News | undefined): boolean {
  if (news === undefined) return true;
  const keys = news.get(id);
  return keys !== undefined && (operationId === null || !keys.includes(operationId));
}

/**
 * False for what an earlier one of the acknowledged operations made. The last one's row is stored: the server
 * may say more of it than its acknowledgement did.
 */
function isFresh({ id, operationId }: StorableRow, news: News | undefined): boolean {
  const keys = news?.get(id);
  return keys === undefined || keys.at(-1) === operationId;
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
function usable(page: PullPage, state: PullState, rules: CollectionRules): Page {
  if (!Array.isArray(page?.rows) || typeof page.cursor !== 'string')
    throw protocolError('the page has no rows or no cursor');
  if (page.hasMore && page.cursor === state.cursor)
    throw protocolError('there is more, and the cursor does not move');
  const rows = page.rows.map(({ value, ...row }: PulledRow): StorableRow => {
    if (!isSoundRow(row)) throw protocolError('a row of the page has no sound id or version');
    // Kept, it would be found under one id and saved under another.
    if (row.isDeleted !== true && hasOtherId(rules, value, row.id))
      throw protocolError('a row of the page has a value with another id');
    return { ...row, text: row.isDeleted ? null : encodeValue(value) };
  });
  return { ...page, rows };
}

/** A remote of the app's own is held to the types as well as ours: databases are stricter than JavaScript. */
function isSoundRow({ id, version, operationId }: Omit<PulledRow, 'value'>): boolean {
  const isText = (value: unknown): boolean => value === null || typeof value === 'string';
  const isId = typeof id === 'string' ? id !== '' && isWellFormed(id) : Number.isFinite(id);
  return isId && isText(version ?? null) && isText(operationId ?? null);
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
