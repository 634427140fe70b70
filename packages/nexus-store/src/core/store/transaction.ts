import type { EntityId } from '../model/entry.ts';
import { UsageError } from '../model/errors.ts';
import type { PriorityRank } from '../model/priority.ts';
import { closeGroup } from '../queue/enqueue.ts';
import { applyMutation } from '../queue/fold.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import { applyMutationTo, type Mutation } from './mutation.ts';
import type { DeleteOptions, NexusStore, WriteOptions } from './nexus-store.ts';
import type { StoreBackend } from './store-backend.ts';

/** What a transaction can do. Nothing is stored before its body has resolved. */
export interface TransactionStores {
  /** The store, within this transaction. */
  store<T, Id extends EntityId>(store: NexusStore<T, Id>): StoreInTransaction<T, Id>;
  /** A transaction inside: if it throws and that is caught, only its own writes are undone. */
  transaction<R>(body: (tx: TransactionStores) => Promise<R> | R): Promise<R>;
}

export interface StoreInTransaction<T, Id extends EntityId> {
  /** What is stored, with what this transaction wrote so far. */
  get(id: Id): Promise<T | undefined>;
  save(value: T, options?: WriteOptions): Promise<void>;
  patch(id: Id, fields: Partial<T>, options?: WriteOptions): Promise<void>;
  delete(id: Id, options?: DeleteOptions): Promise<void>;
  command(id: Id, command: string, args?: unknown, options?: WriteOptions): Promise<void>;
}

/**
 * Gathers the writes of a body and stores them in one commit. The body may await anything: no database
 * transaction is open meanwhile, so it cannot hold others up or be committed half by the platform.
 */
export async function runTransaction<R>(
  backend: StoreBackend,
  body: (tx: TransactionStores) => Promise<R> | R,
): Promise<R> {
  const pending = new PendingWrites(backend);
  const result = await body(pending);
  pending.close();
  await pending.commit();
  return result;
}

class PendingWrites implements TransactionStores {
  readonly #backend: StoreBackend;
  readonly #mutations: Mutation[] = [];
  readonly #partition: number;
  #isClosed = false;

  constructor(backend: StoreBackend) {
    this.#backend = backend;
    this.#partition = backend.partition;
  }

  store<T, Id extends EntityId>(store: NexusStore<T, Id>): StoreInTransaction<T, Id> {
    if (store.backend !== this.#backend) {
      throw new UsageError(
        'usage/invalid-argument',
        `${store.collection} belongs to another backend: one transaction is one database`,
      );
    }
    const add = (mutation: Mutation): void => {
      if (this.#isClosed)
        throw new UsageError(
          'usage/invalid-argument',
          'this transaction has ended: await its writes inside it',
        );
      this.#mutations.push(mutation);
    };
    return {
      get: (id) => this.#get(store, id),
      save: async (value, options) => add((await store.prepareSave(value, options)).mutation),
      patch: async (id, fields, options) => add(store.preparePatch(id, fields, options)),
      delete: async (id, options) => add(store.prepareDelete(id, options)),
      command: async (id, command, args, options) =>
        add(store.prepareCommand(id, command, args, options)),
    };
  }

  async transaction<R>(body: (tx: TransactionStores) => Promise<R> | R): Promise<R> {
    const savepoint = this.#mutations.length;
    try {
      return await body(this);
    } catch (error) {
      this.#mutations.length = savepoint;
      throw error;
    }
  }

  close(): void {
    this.#isClosed = true;
  }

  async #get<T, Id extends EntityId>(store: NexusStore<T, Id>, id: Id): Promise<T | undefined> {
    let text = await store.readText(id);
    for (const mutation of this.#mutations) {
      if (mutation.collection !== store.collection || mutation.id !== id) continue;
      const operation =
        mutation.kind === 'save' || mutation.kind === 'patch' ? 'update' : mutation.kind;
      const detail = JSON.stringify({
        ...(mutation.kind === 'patch' ? { isPatch: true } : {}),
        ...(mutation.command === null ? {} : { command: mutation.command }),
      });
      text = applyMutation(text, { operation, payload: mutation.payload, detail }, mutation.rules);
    }
    return text === null ? undefined : store.decode(text);
  }

  async commit(): Promise<void> {
    if (this.#mutations.length === 0) return;
    const mutations = this.#mutations;
    const partition = this.#partition;
    const rows = mutations.map(({ collection, id }) => ({ partition, collection, id }));
    await this.#backend.writer.write((uow) => this.#store(uow), { cost: mutations.length, rows });
    const best = mutations.reduce<PriorityRank>(
      (rank, mutation) => (mutation.rank < rank ? mutation.rank : rank),
      3,
    );
    this.#backend.onEnqueued(best);
  }

  async #store(uow: UnitOfWork): Promise<void> {
    // Named after its first entry, which gets the next seq.
    const group = this.#mutations.length === 1 ? undefined : `g${uow.state.nextSeq}`;
    const members = new Set<number>();
    for (const mutation of this.#mutations) {
      const { seq } = await applyMutationTo(
        uow,
        mutation,
        this.#backend.mutationSetting(this.#partition, group),
      );
      if (seq !== null) members.add(seq);
    }
    if (group !== undefined && members.size > 0)
      await closeGroup(
        uow,
        this.#partition,
        [...members].toSorted((a, b) => a - b),
      );
  }
}
