import type { Entry, EntityId, EntryId } from '../model/entry.ts';
import type { SyncPriority } from '../model/priority.ts';
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
import { requireRank } from '../queue/priority-sync-queue.ts';
import { detailOf, type EntryRecord, type RowRecord } from '../queue/records.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import { conflictContext, decisionOf } from '../sync/conflict-decisions.ts';
import type { Resolution } from '../sync/conflict-strategy.ts';
import type { BackendCore } from './backend-core.ts';
import { exportDeadLetters, type DeadLetterFilter } from './dead-letters.ts';

/** The sides of a conflict that its lane waits for. null: the entity does not exist there. */
export interface ConflictDetails {
  readonly entry: Entry;
  readonly id: EntityId;
  /** What the mutation was made on. */
  readonly base: unknown;
  readonly local: unknown;
  readonly remote: unknown;
}

const LIST_LIMIT = 1_000_000;
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
    const { writer, partition } = await this.#opened();
    return writer.read(async (uow) => {
      const found: Entry[] = [];
      // Page by page: a million may wait where ten were asked for.
      for await (const entry of entriesInOrder(uow, partition)) {
        if (found.length >= limit) break;
        const isWanted = collection === undefined || entry.collection === collection;
        if (entry.state !== 'dead' && isWanted) found.push(await view(uow, entry));
      }
      return found;
    });
  }

  async deadLetters(filter: DeadLetterFilter): Promise<readonly Entry[]> {
    const { writer, partition } = await this.#opened();
    return writer.read(async (uow) => {
      const dead = await deadEntries(uow, partition, LIST_LIMIT);
      const found = dead.filter((entry) => matchesFilter(entry, filter));
      return Promise.all(found.map((entry) => view(uow, entry)));
    });
  }

  async entry(id: EntryId): Promise<Entry | undefined> {
    return this.#read(id, async (uow, entry) => view(uow, entry));
  }

  async retry(id: EntryId): Promise<RetryResult> {
    const result = await this.#write<RetryResult>(id, 'not-found', (uow, seq, core) =>
      retryEntry(uow, core.partition, seq, core.newKey, core.limits, core.collections.rulesOf),
    );
    if (result !== 'not-found') this.#core.wake();
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
    if (count > 0) this.#core.wake();
    return count;
  }

  async #retryThose(uow: UnitOfWork, letters: readonly Entry[]): Promise<number> {
    const { partition, newKey, limits, collections } = this.#core;
    let count = 0;
    for (const { seq } of letters) {
      const entry = await findEntry(uow, partition, seq);
      if (entry === undefined) continue;
      // A transaction comes back whole with the first of its entries.
      if (entry.state === 'dead')
        await retryEntry(uow, partition, seq, newKey, limits, collections.rulesOf);
      count += 1;
    }
    return count;
  }

  discard(id: EntryId): Promise<boolean> {
    return this.#write(id, false, (uow, seq, core) =>
      discardEntry(uow, core.partition, seq, core.collections.rulesOf),
    );
  }

  async export(filter: DeadLetterFilter): Promise<string> {
    return exportDeadLetters(await this.deadLetters(filter), this.#core.runtime.clock.now());
  }

  cancel(id: EntryId): Promise<CancelResult> {
    return this.#write<CancelResult>(id, 'not-found', (uow, seq, core) =>
      cancelEntry(uow, core.partition, seq, core.collections.rulesOf),
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
      return { entry: await view(uow, entry), id: entry.entity, base, local, remote };
    });
  }

  async resolveConflict(
    id: EntryId,
    resolution: Exclude<Resolution<unknown>, { use: 'later' }>,
  ): Promise<boolean> {
    const resolved = await this.#write(id, false, async (uow, seq, core) => {
      const entry = await findEntry(uow, core.partition, seq);
      if (entry === undefined) return false;
      const row = await uow.row(entry.partition, entry.collection, entry.entity);
      const decision = decisionOf(core, remoteOf(entry, row), resolution);
      const { rulesOf } = core.collections;
      return resolveConflict(uow, core.partition, seq, () => decision, rulesOf);
    });
    if (resolved) this.#core.wake();
    return resolved;
  }

  // ---- inside ------------------------------------------------------------------------------------

  async #opened(): Promise<BackendCore> {
    await this.#core.open();
    return this.#core;
  }

  async #read<R>(
    id: EntryId,
    look: (uow: UnitOfWork, entry: EntryRecord) => Promise<R>,
  ): Promise<R | undefined> {
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
    const seq = seqOfEntryId(id);
    if (seq === null) return missing;
    const core = await this.#opened();
    const result = await core.writer.write((uow) => change(uow, seq, core));
    core.onChanged();
    return result;
  }
}

/** For those who look at a conflict without a run around it. */
const NEVER = new AbortController().signal;

/** What the server has: as the conflict brought it, or as a pull did since. */
function remoteOf(entry: EntryRecord, row: RowRecord | undefined): RemoteState {
  return detailOf(entry).conflict ?? { version: row?.version ?? null, value: row?.shadow ?? null };
}

async function view(uow: UnitOfWork, entry: EntryRecord): Promise<Entry> {
  const leased = await uow.leasedPositions();
  return entryView(entry, await effectiveRank(uow, entry), leased.has(entry.position));
}

function matchesFilter(entry: EntryRecord, filter: DeadLetterFilter): boolean {
  if (filter.collection !== undefined && entry.collection !== filter.collection) return false;
  const code = detailOf(entry).failure?.code;
  return filter.code === undefined || filter.code === code;
}
