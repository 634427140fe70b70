import { FUNCTION, requireKind } from '../model/arguments.ts';
import type { EntityId } from '../model/entry.ts';
import { StoreError, UsageError } from '../model/errors.ts';
import { closeGroup } from '../queue/enqueue.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import type { BackendCore } from './backend-core.ts';
import { accessOf, type CollectionAccess } from './collection-access.ts';
import { storeLocally } from './local-write.ts';
import { afterMutation, applyMutationTo, requireId, type Mutation } from './mutation.ts';
import type { DeleteOptions, NexusStore, WriteOptions } from './nexus-store.ts';
import { bestRankOf } from './store-writer.ts';

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

/** What a body read, by entity: if it is another by the time of the commit, the body runs again. */
type Reads = Map<
  string,
  { readonly collection: string; readonly id: EntityId; readonly text: string | null }
>;

/** So often a body runs before it is left to the app. */
const MAX_RUNS = 10;

/**
 * Gathers the writes of a body and stores them in one commit. The body may await anything: no database
 * transaction is open meanwhile, so it cannot hold others up or be committed half by the platform. If
 * what it read has changed by then, it runs again, so that no update is lost between them.
 *
 * @throws StoreError `store/transaction-conflict` if others were faster ten times in a row
 */
export async function runTransaction<R>(
  core: BackendCore,
  body: (tx: TransactionStores) => Promise<R> | R,
): Promise<R> {
  for (let run = 0; run < MAX_RUNS; run += 1) {
    const { partition } = core;
    const reads: Reads = new Map();
    const pending = new PendingWrites(core, partition, reads);
    let result: R;
    try {
      result = await body(pending);
    } finally {
      pending.close();
    }
    if (await commit(core, partition, pending.mutations, reads)) return result;
  }
  throw new StoreError(
    'store/transaction-conflict',
    `what the transaction read was changed by others ${MAX_RUNS} times in a row: make it shorter`,
  );
}

/** The writes of a transaction, or of one inside another. */
class PendingWrites implements TransactionStores {
  readonly #core: BackendCore;
  readonly #partition: number;
  readonly #reads: Reads;
  readonly #outer: PendingWrites | undefined;
  readonly #mutations: Mutation[] = [];
  #isClosed = false;

  constructor(core: BackendCore, partition: number, reads: Reads, outer?: PendingWrites) {
    this.#core = core;
    this.#partition = partition;
    this.#reads = reads;
    this.#outer = outer;
  }

  get mutations(): readonly Mutation[] {
    return this.#mutations;
  }

  store<T, Id extends EntityId>(store: NexusStore<T, Id>): StoreInTransaction<T, Id> {
    const access = accessOf<T>(store);
    if (access.core !== this.#core) {
      throw new UsageError(
        'usage/invalid-argument',
        `${access.collection} belongs to another backend: one transaction is one database`,
      );
    }
    const current = (id: EntityId): Promise<T | undefined> => this.#get(access, id);
    return {
      get: current,
      save: async (value, options) =>
        this.#add((await access.prepareSave(value, options)).mutation),
      patch: async (id, fields, options) =>
        this.#add(await access.preparePatch(id, fields, options, current)),
      delete: async (id, options) => this.#add(access.prepareDelete(id, options)),
      command: async (id, command, args, options) =>
        this.#add(access.prepareCommand(id, command, args, options)),
    };
  }

  async transaction<R>(body: (tx: TransactionStores) => Promise<R> | R): Promise<R> {
    requireKind('transaction: body', body, FUNCTION);
    const inner = new PendingWrites(this.#core, this.#partition, this.#reads, this);
    let result: R;
    try {
      result = await body(inner);
    } finally {
      inner.close();
    }
    for (const mutation of inner.mutations) this.#add(mutation);
    return result;
  }

  close(): void {
    this.#isClosed = true;
  }

  #add(mutation: Mutation): void {
    if (this.#isClosed)
      throw new UsageError(
        'usage/invalid-argument',
        'this transaction has ended: await its writes inside it',
      );
    if (mutation.policy === 'remote-first')
      throw new UsageError(
        'usage/invalid-argument',
        `${mutation.collection} is written remote-first: a transaction is stored here first`,
      );
    this.#mutations.push(mutation);
  }

  async #get<T>(access: CollectionAccess<T>, id: EntityId): Promise<T | undefined> {
    const key = requireId(id, `get in ${access.collection}`);
    const { collection } = access;
    let text = await access.readText(key, this.#partition);
    const name = JSON.stringify([collection, key]);
    if (!this.#reads.has(name)) this.#reads.set(name, { collection, id: key, text });
    for (const mutation of this.#all()) {
      if (mutation.collection === access.collection && mutation.id === key)
        text = afterMutation(text, mutation);
    }
    return text === null ? undefined : access.decode(text, key);
  }

  /** What was written so far, in the transactions around this one too. */
  #all(): readonly Mutation[] {
    const outer = this.#outer === undefined ? [] : this.#outer.#all();
    return [...outer, ...this.#mutations];
  }
}

/** False if what was read has changed since: then nothing was stored. */
async function commit(
  core: BackendCore,
  partition: number,
  mutations: readonly Mutation[],
  reads: Reads,
): Promise<boolean> {
  if (mutations.length === 0) return true;
  const queued = mutations.filter(({ policy }) => policy === 'queue');
  const { maxBatch } = core.remote.capabilities;
  if (queued.length > maxBatch) {
    throw new UsageError(
      'usage/invalid-argument',
      `a transaction of ${queued.length} writes: the remote takes ${maxBatch} in one request`,
    );
  }
  for (const collection of new Set(mutations.map((mutation) => mutation.collection)))
    if (!core.isReady(collection)) await core.ready(collection);
  const rows = mutations.map(({ collection, id }) => ({ partition, collection, id }));
  const isStored = await core.writer.write(
    async (uow) => {
      if (!(await areUnchanged(uow, partition, reads))) return false;
      await store(core, uow, partition, mutations);
      return true;
    },
    { cost: mutations.length, rows },
  );
  if (isStored && queued.length > 0) core.onEnqueued(bestRankOf(queued));
  return isStored;
}

async function areUnchanged(uow: UnitOfWork, partition: number, reads: Reads): Promise<boolean> {
  for (const { collection, id, text } of reads.values()) {
    const row = await uow.row(partition, collection, id);
    if ((row?.value ?? null) !== text) return false;
  }
  return true;
}

async function store(
  core: BackendCore,
  uow: UnitOfWork,
  partition: number,
  mutations: readonly Mutation[],
): Promise<void> {
  const queued = mutations.filter(({ policy }) => policy === 'queue');
  // Named after its first entry, which gets the next seq.
  const group = queued.length <= 1 ? undefined : `g${uow.state.nextSeq}`;
  const setting = core.mutationSetting(partition, group);
  const members = new Set<number>();
  for (const mutation of mutations) {
    if (mutation.policy !== 'queue') {
      await storeLocally(uow, partition, mutation);
      continue;
    }
    const { seq, effect } = await applyMutationTo(uow, mutation, setting);
    // A delete of what is being deleted already is nothing, and belongs to somebody else.
    if (seq !== null && effect !== 'nothing') members.add(seq);
  }
  if (group !== undefined && members.size > 0) await closeGroup(uow, partition, [...members]);
}
