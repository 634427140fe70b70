import type { EntityId, EntryRef } from '../model/entry.ts';
import type { PriorityRank } from '../model/priority.ts';
import type { Enqueued } from '../queue/enqueue.ts';
import { entryIdOf } from '../queue/entry-view.ts';
import type { ChangedRow, UnitOfWork } from '../queue/unit-of-work.ts';
import { Job } from '../queue/writer.ts';
import type { BackendCore } from './backend-core.ts';
import type { CollectionAccess } from './collection-access.ts';
import { storeLocally } from './local-write.ts';
import { applyMutationTo, type Mutation } from './mutation.ts';
import type { Plan } from './query.ts';
import { writeRemoteFirst } from './remote-first.ts';
import type { Settled, Write } from './write.ts';

/** A mutation and the value that its caller gets back. */
export interface Prepared<V> {
  readonly mutation: Mutation;
  readonly value: V;
}

/** Writes the mutations of one store, as their policy says. */
export class StoreWriter {
  readonly #access: CollectionAccess<unknown>;

  constructor(access: CollectionAccess<unknown>) {
    this.#access = access;
  }

  write<V>(mutation: Mutation, value: V): Promise<Write<V>> {
    if (mutation.policy === 'queue' && this.#access.isReady) return this.#enqueue(mutation, value);
    return this.#writeOtherwise(mutation, value);
  }

  async #writeOtherwise<V>(mutation: Mutation, value: V): Promise<Write<V>> {
    const { core } = this.#access;
    if (!this.#access.isReady) await this.#access.ready();
    if (mutation.policy === 'queue') return this.#enqueue(mutation, value);
    const { partition } = core;
    if (mutation.policy === 'remote-first') await writeRemoteFirst(core, mutation);
    else await core.writer.write((uow) => storeLocally(uow, partition, mutation));
    return new StoredWrite(core, partition, value, null);
  }

  /** All in one commit, except what goes to the server first: that is kept as each is acknowledged. */
  async writeAll<V>(prepared: readonly Prepared<V>[]): Promise<readonly Write<V>[]> {
    const [first] = prepared;
    if (first === undefined) return [];
    const { core } = this.#access;
    if (!this.#access.isReady) await this.#access.ready();
    const { partition } = core;
    const mutations = prepared.map(({ mutation }) => mutation);
    const seqs = await this.#writeThose(mutations, first.mutation.policy, partition);
    return prepared.map(
      ({ value }, index) => new StoredWrite(core, partition, value, seqs[index] ?? null),
    );
  }

  /** Selects and deletes in one transaction: nothing can change between the two. */
  async deleteAll(plan: Plan, deletion: (id: EntityId) => Mutation): Promise<number> {
    const { core, config } = this.#access;
    if (!this.#access.isReady) await this.#access.ready();
    const { partition } = core;
    const policy = config.writePolicy ?? 'queue';
    if (policy === 'remote-first') {
      const { items } = await this.#access.find(plan);
      for (const { id } of items) await writeRemoteFirst(core, deletion(id));
      return items.length;
    }
    const found = await core.writer.write(
      async (uow) => {
        const { items } = await this.#access.findIn(uow, partition, plan);
        const setting = core.mutationSetting(partition);
        for (const { id } of items) {
          const mutation = deletion(id);
          if (mutation.policy === 'queue') await applyMutationTo(uow, mutation, setting);
          else await storeLocally(uow, partition, mutation);
        }
        return items;
      },
      { cost: DELETE_ALL_COST },
    );
    const [first] = found;
    if (first !== undefined && policy === 'queue') core.onEnqueued(deletion(first.id).rank);
    return found.length;
  }

  async #writeThose(
    mutations: readonly Mutation[],
    policy: Mutation['policy'],
    partition: number,
  ): Promise<readonly (number | null)[]> {
    const { core } = this.#access;
    if (policy === 'queue') return this.#enqueueAll(mutations, partition);
    if (policy === 'remote-first') {
      for (const mutation of mutations) await writeRemoteFirst(core, mutation);
      return [];
    }
    await core.writer.write(
      async (uow) => {
        for (const mutation of mutations) await storeLocally(uow, partition, mutation);
      },
      { cost: mutations.length },
    );
    return [];
  }

  #enqueue<V>(mutation: Mutation, value: V): Promise<Write<V>> {
    const { core } = this.#access;
    return core.writer.add(new MutationJob(core, mutation, value));
  }

  async #enqueueAll(
    mutations: readonly Mutation[],
    partition: number,
  ): Promise<readonly (number | null)[]> {
    const { core } = this.#access;
    const seqs = await core.writer.write(
      async (uow) => {
        const setting = core.mutationSetting(partition);
        const made: (number | null)[] = [];
        for (const mutation of mutations)
          made.push((await applyMutationTo(uow, mutation, setting)).seq);
        return made;
      },
      {
        cost: mutations.length,
        rows: mutations.map(({ collection, id }) => ({ partition, collection, id })),
      },
    );
    core.onEnqueued(bestRankOf(mutations));
    return seqs;
  }
}

/** How many it will be is not known before. */
const DELETE_ALL_COST = 200;

export function bestRankOf(mutations: readonly Mutation[]): PriorityRank {
  return mutations.reduce<PriorityRank>((best, { rank }) => (rank < best ? rank : best), 3);
}

/** A commit is shared by so many ordinary writes; a large value counts for several. */
function costOf(mutation: Mutation): number {
  return 1 + Math.floor((mutation.payload?.length ?? 0) / 8192);
}

/** One mutation on its way to a commit. */
class MutationJob<V> extends Job<Enqueued, Write<V>> implements ChangedRow {
  readonly #core: BackendCore;
  readonly #mutation: Mutation;
  readonly #value: V;
  readonly partition: number;

  constructor(core: BackendCore, mutation: Mutation, value: V) {
    super(costOf(mutation));
    this.#core = core;
    this.#mutation = mutation;
    this.#value = value;
    this.partition = core.partition;
  }

  get collection(): string {
    return this.#mutation.collection;
  }

  get id(): EntityId {
    return this.#mutation.id;
  }

  addRows(rows: ChangedRow[]): void {
    rows.push(this);
  }

  run(uow: UnitOfWork): Enqueued | Promise<Enqueued> {
    return applyMutationTo(uow, this.#mutation, this.#core.mutationSetting(this.partition));
  }

  finish({ seq }: Enqueued): Write<V> {
    this.#core.onEnqueued(this.#mutation.rank);
    return new StoredWrite(this.#core, this.partition, this.#value, seq);
  }
}

class StoredWrite<T> implements Write<T> {
  readonly #core: BackendCore;
  readonly #partition: number;
  readonly value: T;
  readonly entry: EntryRef | null;

  constructor(core: BackendCore, partition: number, value: T, seq: number | null) {
    this.#core = core;
    this.#partition = partition;
    this.value = value;
    this.entry = seq === null ? null : { id: entryIdOf(seq) };
  }

  async synced(options: { readonly signal?: AbortSignal } = {}): Promise<Settled> {
    if (this.entry === null) return { outcome: 'local' };
    return this.#core.fates.of(this.entry.id, this.#partition, options.signal);
  }
}
