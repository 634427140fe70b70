import type { EntityId, EntryRef } from '../model/entry.ts';
import type { PriorityRank } from '../model/priority.ts';
import type { Enqueued } from '../queue/enqueue.ts';
import { entryIdOf } from '../queue/entry-view.ts';
import type { ChangedRow, UnitOfWork } from '../queue/unit-of-work.ts';
import { Job } from '../queue/writer.ts';
import type { BackendCore } from './backend-core.ts';
import type { CollectionAccess } from './collection-access.ts';
import type { WritePolicy } from './collection-config.ts';
import { holding } from './holding.ts';
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
    const [fate] = await this.#writeThose([mutation], mutation.policy, partition);
    return new StoredWrite(core, partition, value, fate as Fate);
  }

  /** All in one commit, except what goes to the server first: that is kept as each is acknowledged. */
  async writeAll<V>(prepared: readonly Prepared<V>[]): Promise<readonly Write<V>[]> {
    const [first] = prepared;
    if (first === undefined) return [];
    const { core } = this.#access;
    if (!this.#access.isReady) await this.#access.ready();
    const { partition } = core;
    const mutations = prepared.map(({ mutation }) => mutation);
    const fates = await this.#writeThose(mutations, first.mutation.policy, partition);
    return prepared.map(
      ({ value }, index) => new StoredWrite(core, partition, value, fates[index] as Fate),
    );
  }

  /**
   * Selects and deletes in one transaction: nothing can change between the two. Except what goes to the server
   * first: that is deleted as each is acknowledged.
   *
   * @param policy that of all the deletions
   */
  async deleteAll(
    plan: Plan,
    policy: WritePolicy,
    deletion: (id: EntityId) => Mutation,
  ): Promise<number> {
    const { core } = this.#access;
    if (!this.#access.isReady) await this.#access.ready();
    const { partition } = core;
    if (policy === 'remote-first') {
      const { items } = await this.#access.find(plan);
      for (const { id } of items) await writeRemoteFirst(core, deletion(id), partition);
      return items.length;
    }
    const deletions = await core.writer.write(
      async (uow) => {
        const { items } = await this.#access.findIn(uow, partition, plan);
        const setting = core.mutationSetting(partition);
        const made = items.map(({ id }) => deletion(id));
        for (const mutation of made) {
          if (policy === 'queue') await applyMutationTo(uow, mutation, setting);
          else await storeLocally(uow, partition, mutation);
        }
        return made;
      },
      { cost: DELETE_ALL_COST },
    );
    if (deletions.length > 0 && policy === 'queue') core.onEnqueued(bestRankOf(deletions));
    return deletions.length;
  }

  async #writeThose(
    mutations: readonly Mutation[],
    policy: WritePolicy,
    partition: number,
  ): Promise<readonly Fate[]> {
    const { core } = this.#access;
    if (policy === 'queue') return this.#enqueueAll(mutations, partition);
    if (policy === 'remote-first') {
      const fates: Fate[] = [];
      for (const mutation of mutations) {
        const version = await writeRemoteFirst(core, mutation, partition);
        fates.push({ outcome: 'applied', version });
      }
      return fates;
    }
    await core.writer.write(
      async (uow) => {
        for (const mutation of mutations) await storeLocally(uow, partition, mutation);
      },
      { cost: mutations.length },
    );
    return mutations.map(() => LOCAL);
  }

  #enqueue<V>(mutation: Mutation, value: V): Promise<Write<V>> {
    const { core } = this.#access;
    return core.writer.add(new MutationJob(core, mutation, value));
  }

  async #enqueueAll(mutations: readonly Mutation[], partition: number): Promise<readonly Fate[]> {
    const { core } = this.#access;
    const fates = await core.writer.write(
      async (uow) => {
        const setting = core.mutationSetting(partition);
        const made: Fate[] = [];
        for (const mutation of mutations)
          made.push(fateOf(await applyMutationTo(uow, mutation, setting)));
        return made;
      },
      {
        cost: mutations.length,
        rows: mutations.map(({ collection, id }) => ({ partition, collection, id })),
      },
    );
    core.onEnqueued(bestRankOf(mutations));
    return fates;
  }
}

/** What became of a write, or the seq of the entry that carries it. */
type Fate = Settled | number;

const LOCAL: Settled = Object.freeze({ outcome: 'local' });
const VANISHED: Settled = Object.freeze({ outcome: 'vanished' });

function fateOf({ seq }: Enqueued): Fate {
  return seq ?? VANISHED;
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

  finish(enqueued: Enqueued): Write<V> {
    this.#core.onEnqueued(this.#mutation.rank);
    return new StoredWrite(this.#core, this.partition, this.#value, fateOf(enqueued));
  }
}

class StoredWrite<T> implements Write<T> {
  readonly #core: BackendCore;
  readonly #partition: number;
  readonly value: T;
  readonly entry: EntryRef | null;
  readonly #fate: Fate;

  constructor(core: BackendCore, partition: number, value: T, fate: Fate) {
    this.#core = core;
    this.#partition = partition;
    this.#fate = fate;
    this.value = value;
    this.entry = typeof fate === 'number' ? { id: entryIdOf(fate) } : null;
  }

  async synced(options: { readonly signal?: AbortSignal } = {}): Promise<Settled> {
    if (typeof this.#fate !== 'number') return this.#fate;
    const id = entryIdOf(this.#fate);
    const { runtime, fates } = this.#core;
    return holding(runtime.timers, () => fates.of(id, this.#partition, options.signal));
  }
}
