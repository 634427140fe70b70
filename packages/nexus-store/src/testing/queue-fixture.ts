import type { PriorityRank } from '../core/model/priority.ts';
import { encodeValue } from '../core/model/value-codec.ts';
import type { Storage } from '../core/ports/storage.ts';
import { claimEntries, type Claim, type ClaimRequest } from '../core/queue/claim.ts';
import { DEFAULT_RULES, type CollectionRules } from '../core/queue/collection-rules.ts';
import { DEFAULT_LIMITS, enqueueMutation } from '../core/queue/enqueue.ts';
import type { Enqueued, NewMutation, QueueLimits } from '../core/queue/enqueue.ts';
import { findEntry } from '../core/queue/lookup.ts';
import { openStorage } from '../core/queue/open-storage.ts';
import type { CollectionCounts } from '../core/queue/queue-state.ts';
import { entryBytes, type EntryRecord, type RowRecord } from '../core/queue/records.ts';
import { settleClaim, type Settlement } from '../core/queue/settle.ts';
import type { Counters, UnitOfWork } from '../core/queue/unit-of-work.ts';
import { Writer, type Body } from '../core/queue/writer.ts';
import { createVirtualRuntime, type VirtualRuntime } from './virtual-runtime.ts';

/** What a test wants to be otherwise than in the plainest mutation. */
export interface MutationWish {
  readonly priority?: PriorityRank;
  readonly operation?: NewMutation['operation'];
  readonly after?: readonly number[];
  readonly detail?: NonNullable<NewMutation['detail']>;
  readonly expiresAt?: number;
  readonly key?: string;
}

/** The functions of the queue over a storage, with time and names under control: for its own tests. */
export class QueueFixture {
  readonly runtime: VirtualRuntime;
  readonly storage: Storage;
  readonly writer: Writer;
  readonly limits: QueueLimits;
  readonly events: string[] = [];
  rules: CollectionRules;
  now = 1_000_000;
  #keys = 0;

  private constructor(storage: Storage, rules: CollectionRules, limits: QueueLimits) {
    this.runtime = createVirtualRuntime(1);
    this.storage = storage;
    this.rules = rules;
    this.limits = limits;
    this.writer = new Writer(this.runtime, storage, {
      afterCommit: (uow) => {
        for (const { type } of uow.notices) this.events.push(type);
      },
    });
  }

  static async open(
    storage: Storage,
    rules: Partial<CollectionRules> = {},
    limits: Partial<QueueLimits> = {},
  ): Promise<QueueFixture> {
    await openStorage(storage);
    return new QueueFixture(
      storage,
      { ...DEFAULT_RULES, ...rules },
      { ...DEFAULT_LIMITS, ...limits },
    );
  }

  readonly rulesOf = (): CollectionRules => this.rules;

  readonly newKey = (): string => `key-${++this.#keys}`;

  write<R>(body: Body<R>): Promise<R> {
    return this.writer.write(body);
  }

  /** A mutation of an entity of the collection `notes`; a value makes it whole, null deletes. */
  mutation(entity: string, value: unknown, wish: MutationWish = {}): NewMutation {
    const { operation = value === null ? 'delete' : 'update', after, detail } = wish;
    return {
      partition: 0,
      collection: 'notes',
      entity,
      operation,
      payload: value === null ? null : encodeValue(value),
      priority: wish.priority ?? 2,
      idempotencyKey: wish.key ?? this.newKey(),
      enqueuedAt: this.now,
      expiresAt: wish.expiresAt ?? null,
      ...(after === undefined ? {} : { after }),
      ...(detail === undefined ? {} : { detail }),
    };
  }

  /** Enqueues, and returns what became of it. */
  enqueue(entity: string, value: unknown, wish?: MutationWish): Promise<Enqueued> {
    const mutation = this.mutation(entity, value, wish);
    return this.write((uow) => enqueueMutation(uow, mutation, this.rules, this.limits));
  }

  /** Enqueues and returns the seq. */
  async add(entity: string, value: unknown, wish?: MutationWish): Promise<number> {
    return (await this.enqueue(entity, value, wish)).seq as number;
  }

  claim(limit = 1, request: Partial<ClaimRequest> = {}): Promise<Claim | undefined> {
    const { now } = this;
    const full = { partition: 0, owner: 'runner', leaseMs: 1_000, limit, now, ...request };
    return this.write((uow) => claimEntries(uow, full));
  }

  /** Claims and returns the seqs; empty if nothing may be sent. */
  async claimed(limit = 1, request: Partial<ClaimRequest> = {}): Promise<number[]> {
    return (await this.claim(limit, request))?.entries.map(({ seq }) => seq) ?? [];
  }

  /** Settles every entry of a claim alike. */
  settle(claim: Claim, settlement: Settlement): Promise<void> {
    const settlements = new Map(claim.entries.map(({ seq }) => [seq, settlement]));
    return this.write((uow) => settleClaim(uow, claim, settlements, this.rulesOf));
  }

  /** Sends everything that may be sent, one by one, and returns the seqs in order. */
  async drain(): Promise<number[]> {
    const sent: number[] = [];
    for (;;) {
      const claim = await this.claim();
      if (claim === undefined) return sent;
      sent.push(...claim.entries.map(({ seq }) => seq));
      await this.settle(claim, { kind: 'complete' });
    }
  }

  entry(seq: number): Promise<EntryRecord | undefined> {
    return this.writer.read((uow) => findEntry(uow, 0, seq));
  }

  row(entity: string): Promise<RowRecord | undefined> {
    return this.writer.read((uow) => uow.row(0, 'notes', entity));
  }

  counters(): Promise<Counters> {
    return this.writer.read(async (uow) => {
      await uow.loadState();
      return uow.counters(0);
    });
  }

  collections(): Promise<CollectionCounts> {
    return this.writer.read(async (uow) => {
      await uow.loadState();
      return uow.state.collections(0);
    });
  }

  /** All entries there are, in the order of storage. */
  entries(): Promise<readonly EntryRecord[]> {
    return this.writer.read((uow) => uow.scanEntries({ limit: 1_000_000 }));
  }
}

/** The counters as they should be, counted. */
export function countedAnew(entries: readonly EntryRecord[]): Counters {
  const pending: [number, number, number, number] = [0, 0, 0, 0];
  let dead = 0;
  let conflicts = 0;
  let bytes = 0;
  for (const { state, priority, payload } of entries) {
    if (state === null) pending[priority] += 1;
    if (state === 'dead') dead += 1;
    if (state === 'conflict') conflicts += 1;
    bytes += entryBytes(payload);
  }
  return { pending, dead, conflicts, bytes };
}

/** Runs a body that changes things, then fails, in company of one that does not. */
export async function failing(writer: Writer, body: Body<unknown>): Promise<void> {
  const fails = async (uow: UnitOfWork): Promise<never> => {
    await body(uow);
    throw new Error('meant to fail');
  };
  await Promise.allSettled([writer.write(() => 0), writer.write(fails), writer.write(() => 0)]);
}
