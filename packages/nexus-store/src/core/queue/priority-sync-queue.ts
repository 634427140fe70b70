import { durationMs, type Duration } from '../model/duration.ts';
import type { EntryId } from '../model/entry.ts';
import { QueueError, UsageError } from '../model/errors.ts';
import {
  priorityOfRank,
  priorityRank,
  SyncPriority,
  type PriorityRank,
} from '../model/priority.ts';
import { STORAGE_SCHEMA } from '../model/storage-schema.ts';
import { decodeValue, encodeValue } from '../model/value-codec.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { Storage } from '../ports/storage.ts';
import { claimEntries, listEntries, type Claim } from './claim.ts';
import { DEFAULT_RULES } from './collection-rules.ts';
import { DEFAULT_LIMITS, enqueueItem, removeEntry, type QueueLimits } from './enqueue.ts';
import { entryIdOf } from './entry-view.ts';
import { partitionNumber, queuePartition } from './partitions.ts';
import type { EntryRecord } from './records.ts';
import { settleClaim, type Settlement } from './settle.ts';
import type { UnitOfWork } from './unit-of-work.ts';
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

/** One item of the queue. */
export interface QueueItem<T> {
  readonly id: EntryId;
  readonly item: T;
  readonly priority: SyncPriority;
  /** Attempts that were released with a failure. */
  readonly attempts: number;
  /** Epoch milliseconds. */
  readonly enqueuedAt: number;
}

/** Items taken for a bounded time. */
export interface QueueClaim<T> {
  readonly items: readonly QueueItem<T>[];
  /** The first item: handy for claims of one. */
  readonly entry: QueueItem<T>;
  /** Epoch milliseconds when another runner may take them. */
  readonly until: number;
}

const LIST_LIMIT = 1_000_000;

/**
 * A durable queue: best priority first, then first in, first out. Items survive a kill of the process;
 * what is claimed comes back after its lease unless it was completed. Any number of runners, in one
 * process or several, may enqueue and claim at once.
 *
 * Items are any storable values: plain data, dates, bytes, maps and sets.
 */
export class PrioritySyncQueue<T> {
  readonly #runtime: Runtime;
  readonly #storage: Storage;
  readonly #writer: Writer;
  readonly #name: string;
  readonly #owner: string;
  readonly #leaseMs: number;
  readonly #limits: QueueLimits;
  readonly #claims = new WeakMap<QueueClaim<T>, Claim>();
  #opened: Promise<number> | undefined;

  constructor(runtime: Runtime, options: PrioritySyncQueueOptions) {
    this.#runtime = runtime;
    this.#storage = options.storage;
    this.#name = options.name ?? 'default';
    this.#leaseMs = durationMs(options.lease ?? '30s', 'lease');
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
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

  /** Takes the best item and removes it at once: for work that need not survive a crash. */
  async dequeue(): Promise<T | undefined> {
    const claim = await this.claim();
    if (claim === undefined) return undefined;
    await this.complete(claim);
    return claim.entry.item;
  }

  /** Takes the best items for the time of a lease; undefined if nothing may be taken. */
  async claim(
    options: { readonly limit?: number; readonly lease?: Duration; readonly leaseMs?: number } = {},
  ): Promise<QueueClaim<T> | undefined> {
    const leaseMs =
      options.leaseMs ??
      (options.lease === undefined ? this.#leaseMs : durationMs(options.lease, 'lease'));
    const limit = options.limit ?? 1;
    if (!Number.isInteger(limit) || limit < 1) {
      throw new UsageError(
        'usage/invalid-argument',
        `limit must be a whole number from 1, not ${limit}`,
      );
    }
    const partition = await this.#open();
    const claim = await this.#writer.write(
      (uow) =>
        claimEntries(uow, {
          partition,
          owner: this.#owner,
          leaseMs,
          limit,
          now: this.#runtime.clock.now(),
        }),
      { cost: limit },
    );
    if (claim === undefined) return undefined;
    const items = claim.entries.map((entry) => this.#view(entry));
    const taken: QueueClaim<T> = { items, entry: items[0] as QueueItem<T>, until: claim.until };
    this.#claims.set(taken, claim);
    return taken;
  }

  /**
   * Removes claimed items: all, or those named.
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
  async release(
    claim: QueueClaim<T>,
    options: { readonly delay?: Duration; readonly ids?: readonly EntryId[] } = {},
  ): Promise<void> {
    const delayMs = options.delay === undefined ? 0 : durationMs(options.delay, 'delay');
    await this.#settle(claim, options.ids, {
      kind: 'release',
      ambiguous: null,
      notBefore: delayMs === 0 ? null : this.#runtime.clock.now() + delayMs,
      consumesAttempt: true,
    });
  }

  /**
   * Moves claimed items to the dead letters, where they stay readable and are not taken again.
   *
   * @throws QueueError `queue/claim-lost`
   */
  async bury(claim: QueueClaim<T>, reason: string, ids?: readonly EntryId[]): Promise<void> {
    const failure = {
      code: 'queue/buried',
      detail: reason.slice(0, 1024),
      at: this.#runtime.clock.now(),
    };
    await this.#settle(claim, ids, { kind: 'bury', failure, consumesAttempt: true });
  }

  /** The best item, left where it is; undefined if there is none. */
  async peek(): Promise<T | undefined> {
    const partition = await this.#open();
    const [first] = await this.#writer.read((uow) => listEntries(uow, partition, 1));
    return first === undefined || first.state !== null ? undefined : this.#view(first).item;
  }

  /** How many items are in the queue, claimed ones included, dead letters not. A lookup, never a count. */
  async length(): Promise<number> {
    const partition = await this.#open();
    return this.#writer.read(async (uow) => {
      await uow.loadState();
      return uow.counters(partition).pending.reduce((sum, count) => sum + count, 0);
    });
  }

  /** All items in the order to take them; those that wait for a time come last. */
  async toArray(): Promise<T[]> {
    return (await this.#list(null)).map((entry) => this.#view(entry).item);
  }

  /** The buried items, oldest first. */
  async deadLetters(): Promise<QueueItem<T>[]> {
    return (await this.#list('dead')).map((entry) => this.#view(entry));
  }

  /** Removes every item, claimed ones and dead letters included. */
  async clear(): Promise<void> {
    const partition = await this.#open();
    while (await this.#writer.write((uow) => clearSome(uow, partition), { cost: CLEAR_BATCH }));
  }

  /** Closes the storage. */
  async close(): Promise<void> {
    await this.#storage.close();
  }

  async #list(state: EntryRecord['state']): Promise<EntryRecord[]> {
    const partition = await this.#open();
    const all = await this.#writer.read((uow) => listEntries(uow, partition, LIST_LIMIT));
    return all.filter((entry) => entry.state === state);
  }

  #mutation(partition: number, payload: string, priority: PriorityRank) {
    return {
      partition,
      collection: '',
      entity: 0,
      operation: 'item' as const,
      payload,
      priority,
      idempotencyKey: '',
      enqueuedAt: this.#runtime.clock.now(),
      expiresAt: null,
    };
  }

  async #settle(
    claim: QueueClaim<T>,
    ids: readonly EntryId[] | undefined,
    settlement: Settlement,
  ): Promise<void> {
    const held = this.#claims.get(claim);
    if (held === undefined)
      throw new QueueError('queue/claim-lost', 'this claim was not made by this queue');
    const wanted = ids === undefined ? undefined : new Set(ids);
    const entries = held.entries.filter(
      ({ seq }) => wanted === undefined || wanted.has(entryIdOf(seq)),
    );
    const settlements = new Map(entries.map(({ seq }) => [seq, settlement]));
    await this.#writer.write((uow) => settleClaim(uow, held, settlements, () => DEFAULT_RULES), {
      cost: entries.length,
    });
  }

  #view(entry: EntryRecord): QueueItem<T> {
    return {
      id: entryIdOf(entry.seq),
      item: decodeValue(entry.payload ?? 'null') as T,
      priority: priorityOfRank(entry.priority),
      attempts: entry.attempts,
      enqueuedAt: entry.enqueuedAt,
    };
  }

  #open(): Promise<number> {
    this.#opened ??= this.#openStorage().catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  async #openStorage(): Promise<number> {
    await this.#storage.open(STORAGE_SCHEMA);
    return this.#writer.write((uow) => partitionNumber(uow, queuePartition(this.#name)));
  }
}

const CLEAR_BATCH = 200;

async function clearSome(uow: UnitOfWork, partition: number): Promise<boolean> {
  const some = await listEntries(uow, partition, CLEAR_BATCH);
  for (const entry of some) await removeEntry(uow, entry);
  for (const lease of (await uow.leases()).values()) {
    if (lease.partition === partition) await uow.deleteLease(lease.fence);
  }
  return some.length > 0;
}

/** @throws UsageError `usage/unknown-priority` */
export function requireRank(priority: unknown): PriorityRank {
  const rank = priorityRank(priority);
  if (rank !== undefined) return rank;
  throw new UsageError(
    'usage/unknown-priority',
    `unknown priority ${JSON.stringify(priority) ?? typeof priority}: use 'critical', 'high', 'normal' or 'low'`,
  );
}
