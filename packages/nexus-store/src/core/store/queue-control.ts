import {
  ANYTHING,
  COUNT,
  NAME,
  requireKind,
  requireOptions,
  TEXT,
  type Kind,
  type Kinds,
} from '../model/arguments.ts';
import type { Entry, EntityId, EntryId } from '../model/entry.ts';
import { StoreError } from '../model/errors.ts';
import type { SyncPriority } from '../model/priority.ts';
import { encodeValue } from '../model/value-codec.ts';
import { deadEntries, entriesInOrder } from '../queue/claim.ts';
import type { RemoteState } from '../queue/conflict.ts';
import {
  cancelEntry,
  changeEntryPriority,
  discardEntry,
  resolveConflict,
  retryEntry,
  type CancelResult,
  type RetryResult,
} from '../queue/control.ts';
import { entryView, seqOfEntryId } from '../queue/entry-view.ts';
import { effectiveRank, findEntry } from '../queue/lanes.ts';
import { claimStates, heldLeases, type ClaimState } from '../queue/leases.ts';
import { laneEntries } from '../queue/lookup.ts';
import { requireRank } from '../queue/priority-sync-queue.ts';
import { detailOf, type EntryRecord, type LeaseRecord, type RowRecord } from '../queue/records.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import { conflictContext, decisionOf, requireOwnId } from '../sync/conflict-decisions.ts';
import type { Resolution } from '../sync/conflict-strategy.ts';
import type { BackendCore } from './backend-core.ts';
import { exportDeadLetters, type DeadLetterFilter } from './dead-letters.ts';
import { requireId } from './mutation.ts';
import { WatchedValue } from './watched-value.ts';
import { NO_COLLECTION, type Watch } from './watchers.ts';

/** The sides of a conflict that its lane waits for. null: the entity does not exist there. */
export interface ConflictDetails {
  readonly entry: Entry;
  readonly id: EntityId;
  /** What the mutation was made on. */
  readonly base: unknown;
  readonly local: unknown;
  readonly remote: unknown;
  /** The version of `remote`; null if the server has nothing, or no versions. */
  readonly remoteVersion: string | null;
}

export interface ResolveOptions {
  /**
   * The version that was decided about, from `conflictOf`. If a pull has brought another one since, nothing is
   * decided: without it, what nobody has seen would be overwritten.
   */
  readonly remoteVersion?: string | null | undefined;
}

/** Which entries to watch; everything given must hold. */
export interface PendingChangesOptions {
  readonly collection?: string;
  /** Only those of this entity, dead letters that hold up the others included. Needs a collection. */
  readonly entityId?: EntityId;
  /**
   * The most entries that are read after each change.
   *
   * @defaultValue `200`
   */
  readonly limit?: number;
}

/** Entries, and the claims that some of them may be under. */
interface SeenEntries {
  readonly entries: readonly Entry[];
  readonly leases: readonly LeaseRecord[];
}

const WATCH_LIMIT = 200;
const LIST_LIMIT = 1_000_000;
const FILTER: Kinds<DeadLetterFilter> = { collection: NAME, code: NAME };
const WATCH_OPTIONS: Kinds<PendingChangesOptions> = {
  collection: NAME,
  entityId: ANYTHING,
  limit: COUNT,
};
const ENTRY_ID: Kind = { ...TEXT, said: 'the id of an entry' };
const RESOLVE_OPTIONS: Kinds<ResolveOptions> = {
  remoteVersion: {
    said: 'the remoteVersion of conflictOf: a text or null',
    fits: (value) => value === null || typeof value === 'string',
  },
};
const RESOLUTION: Kind = {
  said: "{ use: 'local' }, { use: 'remote' } or { use: 'merged', value }",
  fits: (value) => {
    const { use, ...rest } = (value ?? {}) as { readonly use?: unknown };
    if (use === 'merged') return (rest as { readonly value?: unknown }).value !== undefined;
    return use === 'local' || use === 'remote';
  },
};
/** So many dead letters come back in one commit. */
const RETRY_CHUNK = 100;

/** The queue as people see it and change it. */
export class QueueControl {
  readonly #core: BackendCore;

  constructor(core: BackendCore) {
    this.#core = core;
  }

  async pendingChanges(
    collection: string | undefined,
    limit: number = LIST_LIMIT,
  ): Promise<readonly Entry[]> {
    return (await this.#waiting(collection, limit)).entries;
  }

  async #waiting(collection: string | undefined, limit: number): Promise<SeenEntries> {
    return this.#see(async (uow, partition) => {
      const found: EntryRecord[] = [];
      const most = Math.min(limit, await countWaiting(uow, partition, collection));
      if (most === 0) return found;
      // Page by page: a million may wait where ten were asked for.
      for await (const entry of entriesInOrder(uow, partition)) {
        if (found.length >= most) break;
        const isWanted = collection === undefined || entry.collection === collection;
        if (entry.state !== 'dead' && isWanted) found.push(entry);
      }
      return found;
    });
  }

  /** The same as it changes, or the lane of one entity with what is dead in it. */
  watchPendingChanges(options: PendingChangesOptions): Watch<readonly Entry[]> {
    requireOptions('watchPendingChanges', options, WATCH_OPTIONS);
    const { collection = NO_COLLECTION, limit = WATCH_LIMIT } = options;
    const entityId =
      options.entityId === undefined ? undefined : requireId(options.entityId, collection);
    if (entityId !== undefined) requireKind('collection', collection, NAME);
    let before = new Map<EntryId, { readonly text: string; readonly entry: Entry }>();
    const read = async () => {
      const { entries, leases } =
        entityId === undefined
          ? await this.#waiting(options.collection, limit)
          : await this.#laneOf(collection, entityId, limit);
      const kept = entries.map((entry) => {
        // Apart: a payload may be as deep as a value can be.
        const { payload, ...facts } = entry;
        const text = `${encodeValue(facts)}\n${encodeValue(payload)}`;
        const known = before.get(entry.id);
        return known?.text === text ? known : { text, entry };
      });
      before = new Map(kept.map((item) => [item.entry.id, item]));
      const texts = kept.map(({ text }) => text);
      return { value: kept.map(({ entry }) => entry), texts, leases };
    };
    const target = {
      collection,
      isOfQueue: true,
      ...(entityId === undefined ? {} : { id: entityId }),
    };
    return new WatchedValue<readonly Entry[]>(this.#core.watchers, target, [], read, (error) =>
      this.#core.runtime.logger.log('error', 'the queue could not be read', {
        error: String(error),
      }),
    );
  }

  async #laneOf(collection: string, id: EntityId, limit: number): Promise<SeenEntries> {
    return this.#see(async (uow, partition) => {
      const row = await uow.row(partition, collection, id);
      return row === undefined ? [] : (await laneEntries(uow, row)).slice(0, limit);
    });
  }

  async deadLetters(filter: DeadLetterFilter): Promise<readonly Entry[]> {
    requireOptions('a filter of dead letters', filter, FILTER);
    const { writer, partition, runtime } = await this.#opened();
    return writer.read(async (uow) => {
      const dead = await deadEntries(uow, partition, LIST_LIMIT);
      const found = dead.filter((entry) => matchesFilter(entry, filter));
      return viewAll(uow, found, runtime.clock.now());
    });
  }

  async entry(id: EntryId): Promise<Entry | undefined> {
    const { clock } = this.#core.runtime;
    return this.#read(id, async (uow, entry) => view(uow, entry, clock.now()));
  }

  async retry(id: EntryId): Promise<RetryResult> {
    const result = await this.#write<RetryResult>(id, 'not-found', (uow, seq, core) =>
      retryEntry(uow, core.partition, seq, core.newKey, core.limits, core.collections.rulesOf),
    );
    if (result !== 'not-found') this.#core.calls.wake();
    return result;
  }

  async retryAll(filter: DeadLetterFilter): Promise<number> {
    const letters = await this.deadLetters(filter);
    let count = 0;
    for (let at = 0; at < letters.length; at += RETRY_CHUNK) {
      const chunk = letters.slice(at, at + RETRY_CHUNK);
      count += await this.#core.writer.write((uow) => this.#retryThose(uow, chunk), {
        cost: chunk.length,
      });
    }
    this.#core.onChanged();
    if (count > 0) this.#core.calls.wake();
    return count;
  }

  /** False for one that makes no sense any more, since the entity was deleted or made anew: it stays what it is. */
  async #retryOne(uow: UnitOfWork, seq: number): Promise<boolean> {
    const { partition, newKey, limits, collections } = this.#core;
    const savepoint = uow.savepoint();
    try {
      await retryEntry(uow, partition, seq, newKey, limits, collections.rulesOf);
      return true;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      uow.rollbackTo(savepoint);
      return false;
    }
  }

  async #retryThose(uow: UnitOfWork, letters: readonly Entry[]): Promise<number> {
    const { partition } = this.#core;
    let count = 0;
    if (!uow.isOpen(partition)) return count;
    for (const { seq } of letters) {
      const entry = await findEntry(uow, partition, seq);
      if (entry === undefined) continue;
      // A transaction comes back whole with the first of its entries.
      const isBack = entry.state !== 'dead' || (await this.#retryOne(uow, seq));
      if (isBack) count += 1;
    }
    return count;
  }

  async discard(id: EntryId): Promise<boolean> {
    return this.#write(id, false, (uow, seq, core) =>
      discardEntry(uow, core.partition, seq, core.collections.rulesOf),
    );
  }

  async export(filter: DeadLetterFilter): Promise<string> {
    return exportDeadLetters(await this.deadLetters(filter), this.#core.runtime.clock.now());
  }

  async cancel(id: EntryId): Promise<CancelResult> {
    return this.#write<CancelResult>(id, 'not-found', (uow, seq, core) =>
      cancelEntry(uow, core.partition, seq, core.collections.rulesOf, core.runtime.clock.now()),
    );
  }

  /** @throws UsageError `usage/unknown-priority` */
  async reprioritise(id: EntryId, priority: SyncPriority): Promise<boolean> {
    const rank = requireRank(priority);
    const changed = await this.#write(id, false, (uow, seq, core) =>
      changeEntryPriority(uow, core.partition, seq, rank),
    );
    if (changed) this.#core.onEnqueued(rank);
    return changed;
  }

  async conflictOf(id: EntryId): Promise<ConflictDetails | undefined> {
    return this.#read(id, async (uow, entry) => {
      if (entry.state !== 'conflict') return undefined;
      const row = await uow.row(entry.partition, entry.collection, entry.entity);
      const sides = { entry, row, remote: remoteOf(entry, row) };
      const { base, local, remote } = conflictContext(this.#core.context, sides, NEVER);
      const seen = await view(uow, entry, this.#core.runtime.clock.now());
      const remoteVersion = sides.remote.version;
      return { entry: seen, id: entry.entity, base, local, remote, remoteVersion };
    });
  }

  async resolveConflict(
    id: EntryId,
    resolution: Exclude<Resolution<unknown>, { use: 'later' }>,
    options: ResolveOptions,
  ): Promise<boolean> {
    requireKind('resolution', resolution, RESOLUTION);
    requireOptions('resolveConflict', options, RESOLVE_OPTIONS);
    const { remoteVersion: decided } = options;
    const resolved = await this.#write(id, false, async (uow, seq, core) => {
      const entry = await findEntry(uow, core.partition, seq);
      if (entry === undefined) return false;
      const row = await uow.row(entry.partition, entry.collection, entry.entity);
      const { rulesOf } = core.collections;
      const remote = remoteOf(entry, row);
      if (entry.state === 'conflict' && decided !== undefined && decided !== remote.version)
        throw new StoreError(
          'store/conflict-changed',
          'the server has another version than was decided about: ask conflictOf again',
        );
      if (resolution.use === 'merged')
        requireOwnId(rulesOf(entry.collection), resolution.value, entry.entity);
      const decision = decisionOf(core, remote, resolution);
      return resolveConflict(uow, core.partition, seq, () => decision, rulesOf);
    });
    if (resolved) this.#core.calls.wake();
    return resolved;
  }

  // ---- inside ------------------------------------------------------------------------------------

  async #opened(): Promise<BackendCore> {
    await this.#core.open();
    return this.#core;
  }

  /** What `find` finds, as people see it. */
  async #see(
    find: (uow: UnitOfWork, partition: number) => Promise<readonly EntryRecord[]>,
  ): Promise<SeenEntries> {
    const { writer, partition, runtime } = await this.#opened();
    return writer.read(async (uow) => {
      const found = await find(uow, partition);
      const now = runtime.clock.now();
      const leases = found.length === 0 ? [] : await heldLeases(uow, partition, now);
      return { entries: await viewAll(uow, found, now), leases };
    });
  }

  async #read<R>(
    id: EntryId,
    look: (uow: UnitOfWork, entry: EntryRecord) => Promise<R>,
  ): Promise<R | undefined> {
    requireKind('id', id, ENTRY_ID);
    const seq = seqOfEntryId(id);
    if (seq === null) return undefined;
    const { writer, partition } = await this.#opened();
    return writer.read(async (uow) => {
      const entry = await findEntry(uow, partition, seq);
      return entry === undefined ? undefined : look(uow, entry);
    });
  }

  async #write<R>(
    id: EntryId,
    missing: R,
    change: (uow: UnitOfWork, seq: number, core: BackendCore) => Promise<R>,
  ): Promise<R> {
    requireKind('id', id, ENTRY_ID);
    const seq = seqOfEntryId(id);
    if (seq === null) return missing;
    const core = await this.#opened();
    const result = await core.writer.write((uow) =>
      // What was discarded is nowhere any more, though it may not be erased yet.
      uow.isOpen(core.partition) ? change(uow, seq, core) : missing,
    );
    core.onChanged();
    return result;
  }
}

/**
 * How many entries wait that are not dead, so that nobody reads on behind the last of them; infinite where
 * the counters do not know.
 */
async function countWaiting(
  uow: UnitOfWork,
  partition: number,
  collection: string | undefined,
): Promise<number> {
  await uow.loadState();
  const { pending, conflicts } = uow.counters(partition);
  const total = pending.reduce((sum, count) => sum + count, 0);
  if (collection === undefined) return total + conflicts;
  const counts = uow.state.collections(partition);
  // Written before there were counters of collections.
  if (Object.values(counts).reduce((sum, count) => sum + count, 0) !== total) return Infinity;
  const own = Object.hasOwn(counts, collection) ? (counts[collection] ?? 0) : 0;
  if (conflicts === 0) return own;
  const range = { index: 'parked', prefix: [partition, 'conflict'], limit: conflicts };
  const inConflict = await uow.scanEntries(range);
  return own + inConflict.filter((entry) => entry.collection === collection).length;
}

/** For those who look at a conflict without a run around it. */
const NEVER = new AbortController().signal;

/** What the server has: as the conflict brought it, or as a pull did since. */
function remoteOf(entry: EntryRecord, row: RowRecord | undefined): RemoteState {
  return detailOf(entry).conflict ?? { version: row?.version ?? null, value: row?.shadow ?? null };
}

async function viewAll(
  uow: UnitOfWork,
  entries: readonly EntryRecord[],
  now: number,
): Promise<readonly Entry[]> {
  if (entries.length === 0) return [];
  const claims = await claimStates(uow, now);
  return Promise.all(entries.map((entry) => viewWith(uow, entry, claims)));
}

async function view(uow: UnitOfWork, entry: EntryRecord, now: number): Promise<Entry> {
  return viewWith(uow, entry, await claimStates(uow, now));
}

async function viewWith(
  uow: UnitOfWork,
  entry: EntryRecord,
  claims: ReadonlyMap<number, ClaimState>,
): Promise<Entry> {
  return entryView(entry, await effectiveRank(uow, entry), claims.get(entry.position));
}

function matchesFilter(entry: EntryRecord, filter: DeadLetterFilter): boolean {
  if (filter.collection !== undefined && entry.collection !== filter.collection) return false;
  const code = detailOf(entry).failure?.code;
  return filter.code === undefined || filter.code === code;
}
