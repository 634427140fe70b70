import { ANYTHING, NAME, requireOptions, shown, type Kinds } from '../model/arguments.ts';
import type { EntityId } from '../model/entry.ts';
import { DURATION, durationMs } from '../model/duration.ts';
import { StoreError, UsageError } from '../model/errors.ts';
import type { PriorityRank } from '../model/priority.ts';
import { decodeStored } from '../model/stored-text.ts';
import { encodeValue } from '../model/value-codec.ts';
import { DEFAULT_RULES, hasOtherId, type CollectionRules } from '../queue/collection-rules.ts';
import { requireRank } from '../queue/priority-sync-queue.ts';
import type { ConflictStrategy } from '../sync/conflict-strategy.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import { coreOf, type BackendCore } from './backend-core.ts';
import { commandFailures } from './command-failures.ts';
import {
  requireStoreOptions,
  WRITE_POLICY,
  type StoreConfig,
  type WritePolicy,
} from './collection-config.ts';
import { usesIndex } from './index-choice.ts';
import { otherId, requireAfter, requireId, requireTtl, type Mutation } from './mutation.ts';
import type { StoreOptions, WriteOptions } from './nexus-store.ts';
import type { Plan } from './query.ts';
import { runQuery, type FoundPage } from './run-query.ts';
import { validate } from './standard-schema.ts';

/**
 * One collection as a store and its transactions work with it: values become mutations, rows become
 * values. Apps never see it.
 */
export class CollectionAccess<T> {
  readonly core: BackendCore;
  readonly collection: string;
  readonly config: StoreConfig<T>;
  readonly #idOf: (value: T) => unknown;
  /** Undefined: a function works the id out. */
  readonly #idField: string | undefined;
  readonly #rank: PriorityRank;
  readonly #ttl: number | null;
  readonly #rules: CollectionRules;
  readonly #schemaVersion: number;
  readonly #saveIn: string;

  constructor(options: StoreOptions<T>) {
    requireStoreOptions(options);
    const { backend, collection, ...config } = options;
    if (!isName(collection)) {
      throw new UsageError(
        'usage/invalid-argument',
        `a store needs the name of its collection: a well-formed text of 1 to ${MAX_NAME} characters, not ${shown(collection)}`,
      );
    }
    this.core = coreOf(backend);
    this.collection = collection;
    this.config = config;
    this.#saveIn = `save in ${collection}`;
    const id = config.id ?? ('id' as keyof T & string);
    this.#idField = typeof id === 'function' ? undefined : id;
    this.#idOf =
      typeof id === 'function' ? id : (value) => (value as Record<string, unknown> | null)?.[id];
    this.#rank = requireRank(config.priority ?? 'normal');
    this.#ttl = config.ttl === undefined ? null : durationMs(config.ttl, 'ttl');
    this.#schemaVersion = config.schemaVersion ?? 1;
    const isPulled = (config.pull ?? true) && this.core.remote.capabilities.pull;
    const tellOf = (message: string) =>
      commandFailures(this.core.runtime.logger, collection, message);
    this.#rules = {
      ...rulesOf(config, collection, this.#idOf),
      isPulled,
      onCommandFailed: tellOf('a command could not be applied to what others made of its row'),
      onMergeFailed: tellOf('merge failed: commands that wait are sent one by one'),
    };
    this.core.register({
      name: collection,
      conflict: (config.conflict ?? 'merge-fields') as ConflictStrategy<unknown>,
      schemaVersion: this.#schemaVersion,
      migrate: config.migrate,
      isPulled: config.pull ?? true,
      rules: this.#rules,
      indexes: config.indexes ?? [],
    });
  }

  // ---- values to mutations -----------------------------------------------------------------------

  async prepareSave(
    value: T,
    options: WriteOptions = NO_OPTIONS,
  ): Promise<{ mutation: Mutation; stored: T }> {
    const { schema } = this.config;
    const stored = schema === undefined ? value : await validate(schema, value);
    return { mutation: this.saveOf(stored, options), stored };
  }

  /** The mutation of a value that needs no validation any more. */
  saveOf(stored: T, options: WriteOptions = NO_OPTIONS): Mutation {
    const id = requireId(this.#idOf(stored), this.#saveIn);
    return this.#mutation('save', id, encodeValue(stored), options);
  }

  /** @param current what the fields are laid over, for the schema to check the whole */
  async preparePatch(
    id: EntityId,
    fields: Partial<T>,
    options: WriteOptions = NO_OPTIONS,
    current: (id: EntityId) => Promise<T | undefined> = (key) => this.#readInLine(key),
  ): Promise<Mutation> {
    const mutation = this.patchOf(id, fields, options);
    if (this.config.schema === undefined) return mutation;
    const before = await current(mutation.id);
    if (before === undefined)
      throw new StoreError(
        'store/not-found',
        `there is no ${this.collection} ${String(mutation.id)} to patch`,
      );
    await validate(this.config.schema, { ...before, ...fields });
    return mutation;
  }

  /** The mutation of fields that need no validation any more. */
  patchOf(id: EntityId, fields: Partial<T>, options: WriteOptions = NO_OPTIONS): Mutation {
    if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
      throw new UsageError(
        'usage/invalid-argument',
        'patch needs an object with the changed fields',
      );
    }
    const key = requireId(id, `patch in ${this.collection}`);
    const field = this.#idField;
    const mutation = this.#mutation('patch', key, encodeValue(fields), options);
    if (field === undefined)
      return { ...mutation, idOf: this.#idOf as (value: unknown) => unknown };
    if (Object.hasOwn(fields, field) && (fields as Record<string, unknown>)[field] !== key)
      throw otherId(this.collection, key);
    return mutation;
  }

  /** Read in the line of writes: what was called before and is not committed yet counts. */
  async #readInLine(id: EntityId): Promise<T | undefined> {
    if (!this.isReady) await this.ready();
    const { writer, partition } = this.core;
    const row = await writer.write((uow) => uow.row(partition, this.collection, id));
    return row === undefined || row.value === null ? undefined : this.decode(row.value, id);
  }

  prepareDelete(id: EntityId, options: WriteOptions = NO_OPTIONS): Mutation {
    return this.#mutation('delete', requireId(id, `delete in ${this.collection}`), null, options);
  }

  prepareCommand(
    id: EntityId,
    command: string,
    args: unknown,
    options: WriteOptions = NO_OPTIONS,
  ): Mutation {
    if (!isName(command)) {
      throw new UsageError(
        'usage/invalid-argument',
        `a command needs a well-formed name of 1 to ${MAX_NAME} characters, not ${shown(command)}`,
      );
    }
    const key = requireId(id, `command in ${this.collection}`);
    return { ...this.#mutation('command', key, encodeValue(args), options), command };
  }

  #mutation(
    kind: Mutation['kind'],
    id: EntityId,
    payload: string | null,
    options: WriteOptions,
  ): Mutation {
    if (options !== NO_OPTIONS) requireOptions(kind, options, WRITE_OPTIONS);
    return {
      collection: this.collection,
      id,
      kind,
      payload,
      rank: options.priority === undefined ? this.#rank : requireRank(options.priority),
      ttl: options.ttl === undefined ? this.#ttl : requireTtl(options.ttl),
      after: requireAfter(options.after),
      command: null,
      schemaVersion: this.#schemaVersion,
      rules: this.#rules,
      policy: this.policyOf(options),
    };
  }

  /** How a write with these options goes. */
  policyOf(options: WriteOptions = NO_OPTIONS): WritePolicy {
    return options.policy ?? this.config.writePolicy ?? 'queue';
  }

  // ---- rows to values ----------------------------------------------------------------------------

  get isReady(): boolean {
    return this.core.isReady(this.collection);
  }

  ready(): Promise<void> {
    return this.core.ready(this.collection);
  }

  async readText(id: EntityId, partition?: number): Promise<string | null> {
    const key = requireId(id, `get in ${this.collection}`);
    if (!this.isReady) await this.ready();
    const whose = partition ?? this.core.partition;
    const row = await this.core.writer.read((uow) => uow.row(whose, this.collection, key));
    return row?.value ?? null;
  }

  /** The same for those who watch: together with whatever else is watched. */
  async readWatched(id: EntityId): Promise<string | null> {
    if (!this.isReady) await this.ready();
    const { partition, watchedRows } = this.core;
    const row = await watchedRows.read({ partition, collection: this.collection, id });
    return row?.value ?? null;
  }

  async read(id: EntityId): Promise<T | undefined> {
    const text = await this.readText(id);
    return text === null ? undefined : this.decode(text, id);
  }

  /** @throws StorageError `storage/corrupt` */
  decode(text: string, id: EntityId): T {
    return decodeStored(text, 'rows', [this.core.partition, this.collection, id]) as T;
  }

  async find(plan: Plan): Promise<FoundPage> {
    if (!this.isReady) await this.ready();
    const { writer, partition } = this.core;
    return writer.read((uow) => this.findIn(uow, partition, plan));
  }

  async findIn(uow: UnitOfWork, partition: number, plan: Plan): Promise<FoundPage> {
    const isIndexed = usesIndex(plan, this.config.indexes ?? []);
    const indexes = isIndexed ? await this.core.usableIndexes(uow, this.collection) : [];
    return runQuery(uow, partition, this.collection, indexes, plan);
  }
}

/** What the wire protocol takes. */
const MAX_NAME = 255;

/** Of a collection or a command. */
function isName(name: string): boolean {
  return NAME.fits(name) && name.length <= MAX_NAME;
}

const NO_OPTIONS: WriteOptions = Object.freeze({});
const WRITE_OPTIONS: Kinds<WriteOptions> = {
  // These two have errors of their own.
  priority: ANYTHING,
  after: ANYTHING,
  policy: WRITE_POLICY,
  ttl: DURATION,
};

/** @throws UsageError `usage/invalid-argument`, naming the option */
export function requireWriteOptions(where: string, options: WriteOptions | undefined): void {
  if (options !== undefined) requireOptions(where, options, WRITE_OPTIONS);
}

const ACCESSES = new WeakMap<object, CollectionAccess<unknown>>();

export function setAccess<T>(store: object, access: CollectionAccess<T>): void {
  ACCESSES.set(store, access as CollectionAccess<unknown>);
}

/** @throws UsageError `usage/invalid-argument` for anything that is not a store */
export function accessOf<T>(store: object): CollectionAccess<T> {
  const access = typeof store === 'object' && store !== null ? ACCESSES.get(store) : undefined;
  if (access !== undefined) return access as CollectionAccess<T>;
  throw new UsageError('usage/invalid-argument', 'a transaction needs the store to write to');
}

function rulesOf<T>(
  config: StoreConfig<T>,
  collection: string,
  idOf: (value: T) => unknown,
): CollectionRules {
  const applyCommand = config.applyCommand;
  const identity = { idOf: idOf as (value: unknown) => unknown };
  return {
    coalesce: config.coalesce ?? true,
    merge: config.merge,
    applyCommand:
      applyCommand === undefined
        ? undefined
        : (value, command, args) => {
            const id = idOf(value as T) as EntityId;
            const result = applyCommand(value as T, command, args);
            if (!hasOtherId({ ...DEFAULT_RULES, ...identity }, result, id)) return result;
            throw new UsageError(
              'usage/invalid-argument',
              `applyCommand of ${collection} gave ${shown(id)} another id`,
            );
          },
    onRejected: config.onRejected ?? 'park',
    ...identity,
  };
}
