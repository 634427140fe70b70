import {
  COUNT,
  LIST,
  NAME,
  OBJECT,
  requireKind,
  requireOptions,
  shown,
  TEXT,
  withDefaults,
  type Kind,
  type Kinds,
} from '../model/arguments.ts';
import { DURATION, durationMs, type Duration } from '../model/duration.ts';
import type { EntryId } from '../model/entry.ts';
import { QueueError, UsageError } from '../model/errors.ts';
import { MAX_FAILURE_DETAIL_LENGTH } from '../model/outcome.ts';
import { priorityRank, SyncPriority, type PriorityRank } from '../model/priority.ts';
import { encodeValue } from '../model/value-codec.ts';
import { RUNTIME, STORAGE } from '../ports/kinds.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { Storage } from '../ports/storage.ts';
import {
  claimEntries,
  deadEntries,
  listEntries,
  peekEntry,
  type Claim,
  type ClaimRequest,
} from './claim.ts';
import { DEFAULT_RULES, type CollectionRules } from './collection-rules.ts';
import { retryEntry, type RetryResult } from './control.ts';
import { enqueueItem } from './enqueue.ts';
import { entryIdOf, seqOfEntryId } from './entry-view.ts';
import { DEFAULT_LIMITS, requireLimits, type QueueLimits } from './limits.ts';
import { findEntry } from './lookup.ts';
import { openStorage } from './open-storage.ts';
import { partitionNumber, queuePartition } from './partitions.ts';
import { deadItemView, itemView, type QueueClaim, type QueueItem } from './queue-item.ts';
import type { EntryRecord } from './records.ts';
import { removeEntries } from './removal.ts';
import { settleClaim, type Settlement } from './settle.ts';
import type { UnitOfWork } from './unit-of-work.ts';
import { ClockWatch, followClock, noteWait } from './waits.ts';
import { Writer } from './writer.ts';

export interface PrioritySyncQueueOptions {
  readonly storage: Storage;
  /**
   * Separates queues on one storage.
   *
   * @defaultValue `'default'`
   */
  readonly name?: string;
  /**
   * How long claimed items stay invisible to other runners if they do not say otherwise.
   *
   * @defaultValue `'30s'`
   */
  readonly lease?: Duration;
  readonly limits?: Partial<QueueLimits>;
}

/** A claim and what of it is not settled yet. */
interface HeldClaim extends Claim {
  readonly open: Set<number>;
}

const LIST_LIMIT = 1_000_000;

const QUEUE_OPTIONS: Kinds<PrioritySyncQueueOptions & { readonly runtime: unknown }> = {
  runtime: RUNTIME,
  storage: STORAGE,
  name: NAME,
  lease: DURATION,
  limits: OBJECT,
};
const ENTRY_ID: Kind = { ...TEXT, said: 'the id of an item' };
const CLAIM_OPTIONS: Kinds<ClaimOptions> = { limit: COUNT, lease: DURATION, leaseMs: DURATION };
const RELEASE_OPTIONS: Kinds<ReleaseOptions> = { delay: DURATION, ids: LIST };

interface ClaimOptions {
  readonly limit?: number;
  readonly lease?: Duration;
  readonly leaseMs?: number;
}

interface ReleaseOptions {
  readonly delay?: Duration;
  readonly ids?: readonly EntryId[];
}

/**
 * A durable queue: best priority first, then first in, first out. Items survive a kill of the process;
 * what is claimed comes back after its lease unless it was completed. Any number of runners, in one
 * process or several, may enqueue and claim at once.
 *
 * Items are any storable values: plain data, dates, bytes, maps and sets.
 */
export class PrioritySyncQueue<T> {
  readonly #runtime: Runtime;
  readonly #clock: ClockWatch;
  readonly #storage: Storage;
  readonly #writer: Writer;
  readonly #name: string;
  readonly #owner: string;
  readonly #leaseMs: number;
  readonly #limits: QueueLimits;
  readonly #claims = new WeakMap<QueueClaim<T>, HeldClaim>();
  #opened: Promise<number> | undefined;

  constructor(runtime: Runtime, options: PrioritySyncQueueOptions) {
    requireOptions('PrioritySyncQueue', options, QUEUE_OPTIONS);
    requireKind('PrioritySyncQueue: storage', options.storage, STORAGE);
    requireLimits(options.limits);
    this.#runtime = runtime;
    this.#clock = new ClockWatch(runtime.clock);
    this.#storage = options.storage;
    this.#name = options.name ?? 'default';
    this.#leaseMs = durationMs(options.lease ?? '30s', 'lease');
    this.#limits = withDefaults(DEFAULT_LIMITS, options.limits);
    this.#owner = runtime.ids.uuid();
    this.#writer = new Writer(runtime, options.storage);
  }

  /**
   * Stores an item durably, then resolves with its id.
   *
   * @throws UsageError `usage/unknown-priority`, `usage/unsupported-value`
   * @throws QueueError `queue/full`, `queue/entry-too-large`
   */
  async enqueue(item: T, priority: SyncPriority = SyncPriority.normal): Promise<EntryId> {
    const rank = requireRank(priority);
    const payload = encodeValue(item);
    const partition = await this.#open();
    const seq = await this.#writer.write((uow) =>
      enqueueItem(uow, this.#mutation(partition, payload, rank), this.#limits),
    );
    return entryIdOf(seq);
  }

  /** Takes the best item and removes it in one step: for work that need not survive a crash. */
  async dequeue(): Promise<T | undefined> {
    const partition = await this.#open();
    const taken = await this.#writer.write(async (uow) => {
      const claim = await this.#take(uow, this.#request(partition, this.#leaseMs, 1));
      const entry = claim?.entries[0];
      if (claim === undefined || entry === undefined) return undefined;
      await settleClaim(uow, claim, new Map([[entry.seq, { kind: 'complete' }]]), defaultRules);
      return entry;
    });
    return taken === undefined ? undefined : itemView<T>(taken).item;
  }

  /** Takes the best items for the time of a lease; undefined if nothing may be taken. */
  async claim(options: ClaimOptions = {}): Promise<QueueClaim<T> | undefined> {
    requireOptions('claim', options, CLAIM_OPTIONS);
    const { limit = 1 } = options;
    const leaseMs = durationMs(options.leaseMs ?? options.lease ?? this.#leaseMs, 'lease');
    const partition = await this.#open();
    const claim = await this.#writer.write(
      (uow) => this.#take(uow, this.#request(partition, leaseMs, limit)),
      { cost: limit },
    );
    if (claim === undefined) return undefined;
    const items = claim.entries.map((entry) => itemView<T>(entry));
    const taken: QueueClaim<T> = { items, entry: items[0] as QueueItem<T>, until: claim.until };
    this.#claims.set(taken, { ...claim, open: new Set(claim.entries.map(({ seq }) => seq)) });
    return taken;
  }

  /**
   * Removes claimed items: those named, or all that are not settled yet.
   *
   * @throws QueueError `queue/claim-lost` once another runner took the claim over
   */
  async complete(claim: QueueClaim<T>, ids?: readonly EntryId[]): Promise<void> {
    await this.#settle(claim, ids, { kind: 'complete' });
  }

  /**
   * Hands claimed items back, to be taken again at once or after a delay.
   *
   * @throws QueueError `queue/claim-lost`
   */
  async release(claim: QueueClaim<T>, options: ReleaseOptions = {}): Promise<void> {
    requireOptions('release', options, RELEASE_OPTIONS);
    const delayMs = options.delay === undefined ? 0 : durationMs(options.delay, 'delay');
    await this.#settle(claim, options.ids, {
      kind: 'release',
      ambiguous: 0,
      notBefore: delayMs === 0 ? null : this.#runtime.clock.now() + delayMs,
      consumesAttempt: true,
    });
  }

  /**
   * Moves claimed items to the dead letters, where they stay readable and are not taken again until somebody
   * retries them.
   *
   * @param reason what `lastFailure` says of it as `detail`; at most 1,024 characters are kept
   * @throws QueueError `queue/claim-lost`
   */
  async bury(claim: QueueClaim<T>, reason: string, ids?: readonly EntryId[]): Promise<void> {
    requireKind('bury: reason', reason, TEXT);
    const detail = reason.slice(0, MAX_FAILURE_DETAIL_LENGTH);
    const failure = { code: 'queue/buried', detail, at: this.#runtime.clock.now() };
    await this.#settle(claim, ids, { kind: 'bury', failure, consumesAttempt: true });
  }

  /** The item that a claim would take now, left where it is; undefined if there is none. */
  async peek(): Promise<T | undefined> {
    const partition = await this.#open();
    const now = this.#runtime.clock.now();
    const first = await this.#writer.read((uow) => peekEntry(uow, partition, now));
    return first === undefined ? undefined : itemView<T>(first).item;
  }

  /** How many items are in the queue, claimed ones included, dead letters not. A lookup, never a count. */
  async length(): Promise<number> {
    const partition = await this.#open();
    return this.#writer.read(async (uow) => {
      await uow.loadState();
      return uow.counters(partition).pending.reduce((sum, count) => sum + count, 0);
    });
  }

  /** All items in the order to take them, claimed ones included; those that wait for a time come last. */
  async toArray(): Promise<T[]> {
    const partition = await this.#open();
    const all = await this.#writer.read((uow) => listEntries(uow, partition, LIST_LIMIT));
    return all.filter(({ state }) => state === null).map((entry) => itemView<T>(entry).item);
  }

  /** The buried items, oldest first, each with its reason in `lastFailure`. They count against the limits. */
  async deadLetters(): Promise<QueueItem<T>[]> {
    const partition = await this.#open();
    const dead = await this.#writer.read((uow) => deadEntries(uow, partition, LIST_LIMIT));
    return dead.map((entry) => deadItemView<T>(entry));
  }

  /**
   * Puts a dead letter back in the queue, at its old place, or takes the delay from a waiting item. Attempts
   * begin anew. An item that is claimed stays so.
   *
   * @returns `'not-found'` if it is not in this queue any more; the results are those of `StoreBackend.retry`
   */
  async retry(id: EntryId): Promise<RetryResult> {
    return this.#change<RetryResult>(id, 'not-found', (uow, { partition, seq }) =>
      retryEntry(uow, partition, seq, noKey, this.#limits, defaultRules),
    );
  }

  /** Gives a dead letter up for good. False if it is not one, or not any more. */
  async discard(id: EntryId): Promise<boolean> {
    return this.#change(id, false, async (uow, entry) => {
      if (entry.state !== 'dead') return false;
      await removeEntries(uow, [entry]);
      return true;
    });
  }

  /** Removes every item, claimed ones and dead letters included. */
  async clear(): Promise<void> {
    const partition = await this.#open();
    while (await this.#writer.write((uow) => clearSome(uow, partition), { cost: CLEAR_BATCH }));
  }

  /** Closes the storage, also for others that share it. */
  async close(): Promise<void> {
    await this.#storage.close();
  }

  #mutation(partition: number, payload: string, priority: PriorityRank) {
    return {
      partition,
      collection: '',
      entity: 0,
      operation: 'item' as const,
      payload,
      priority,
      idempotencyKey: noKey(),
      enqueuedAt: this.#runtime.clock.now(),
      expiresAt: null,
    };
  }

  /** Changes one item of this queue, whatever its state. */
  async #change<R>(
    id: EntryId,
    missing: R,
    change: (uow: UnitOfWork, entry: EntryRecord) => Promise<R>,
  ): Promise<R> {
    requireKind('id', id, ENTRY_ID);
    const seq = seqOfEntryId(id);
    if (seq === null) return missing;
    const partition = await this.#open();
    return this.#writer.write(async (uow) => {
      const entry = await findEntry(uow, partition, seq);
      return entry === undefined ? missing : change(uow, entry);
    });
  }

  async #settle(
    claim: QueueClaim<T>,
    ids: readonly EntryId[] | undefined,
    settlement: Settlement,
  ): Promise<void> {
    const held = this.#claims.get(claim);
    if (held === undefined)
      throw new QueueError('queue/claim-lost', 'this claim was not made by this queue');
    if (ids !== undefined) requireKind('ids', ids, LIST);
    const seqs = ids === undefined ? [...held.open] : openSeqs(held, ids);
    const settlements = new Map(seqs.map((seq) => [seq, settlement]));
    const now = this.#runtime.clock.now();
    await this.#writer.write(
      async (uow) => {
        await settleClaim(uow, held, settlements, defaultRules);
        const isWait = settlement.kind === 'release' && settlement.notBefore !== null;
        if (isWait) await noteWait(uow, held.partition, now);
      },
      { cost: seqs.length },
    );
    for (const seq of seqs) held.open.delete(seq);
  }

  async #take(uow: UnitOfWork, request: ClaimRequest): Promise<Claim | undefined> {
    if (this.#clock.mayHaveMovedBack()) await followClock(uow, request.partition, request.now);
    return claimEntries(uow, request);
  }

  #request(partition: number, leaseMs: number, limit: number): ClaimRequest {
    const now = this.#runtime.clock.now();
    return { partition, owner: this.#owner, leaseMs, limit, now };
  }

  #open(): Promise<number> {
    this.#opened ??= this.#openStorage().catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  async #openStorage(): Promise<number> {
    await openStorage(this.#storage);
    return this.#writer.write((uow) => partitionNumber(uow, queuePartition(this.#name)));
  }
}

function defaultRules(): CollectionRules {
  return DEFAULT_RULES;
}

/** Items go to no server that could tell them apart. */
function noKey(): string {
  return '';
}

/** @throws QueueError `queue/claim-lost` if one of them is not in the claim, or not any more */
function openSeqs(held: HeldClaim, ids: readonly EntryId[]): number[] {
  return ids.map((id) => {
    const seq = seqOfEntryId(id);
    if (seq !== null && held.open.has(seq)) return seq;
    throw new QueueError('queue/claim-lost', `${shown(id)} is not held by this claim`);
  });
}

const CLEAR_BATCH = 200;

async function clearSome(uow: UnitOfWork, partition: number): Promise<boolean> {
  for (const lease of (await uow.leases()).values()) {
    if (lease.partition === partition) await uow.deleteLease(lease.fence);
  }
  const some = await listEntries(uow, partition, CLEAR_BATCH);
  await removeEntries(uow, some);
  return some.length === CLEAR_BATCH;
}

/** @throws UsageError `usage/unknown-priority` */
export function requireRank(priority: unknown): PriorityRank {
  const rank = priorityRank(priority);
  if (rank !== undefined) return rank;
  throw new UsageError(
    'usage/unknown-priority',
    `unknown priority ${shown(priority)}: use 'critical', 'high', 'normal' or 'low'`,
  );
}
