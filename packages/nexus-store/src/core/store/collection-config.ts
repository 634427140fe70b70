import {
  ANYTHING,
  COUNT,
  eitherOf,
  FLAG,
  FUNCTION,
  LIST,
  NAME,
  OBJECT,
  oneOf,
  requireKind,
  requireOptions,
  type Kind,
  type Kinds,
} from '../model/arguments.ts';
import type { OnRejected } from '../queue/collection-rules.ts';
import type { ConflictStrategy } from '../sync/conflict-strategy.ts';
import type { MigratedEntry } from '../sync/sync-context.ts';
import { DURATION, type Duration } from '../model/duration.ts';
import type { SyncPriority } from '../model/priority.ts';
import type { StandardSchema } from './standard-schema.ts';

export type ReadPolicy =
  /** What is here; asks the server only if nothing is. The default. */
  | 'cache-first'
  /** The server first, what is here if it cannot be asked. */
  | 'network-first'
  | 'cache-only'
  /** The server, or an error. */
  | 'network-only'
  /** What is here at once, and the server behind it; `watch` shows both. */
  | 'stale-while-revalidate';

export type WritePolicy =
  /** Durable here at once, sent by the queue. The default. */
  | 'queue'
  /** Nothing is kept here until the server has acknowledged it. */
  | 'remote-first'
  /** Kept here and never sent. */
  | 'local-only';

/** How one store treats its collection. */
export interface StoreConfig<T> {
  /**
   * The field that holds the id, or how to find it.
   *
   * @defaultValue `'id'`
   */
  readonly id?: (keyof T & string) | ((value: T) => unknown);
  /** @defaultValue `'normal'` */
  readonly priority?: SyncPriority;
  /** @defaultValue `'cache-first'` */
  readonly readPolicy?: ReadPolicy;
  /** @defaultValue `'queue'` */
  readonly writePolicy?: WritePolicy;
  /** Any Standard Schema validator; what it gives back is what is stored. */
  readonly schema?: StandardSchema<T>;
  /** Fields with an index of their own, for queries. Texts, numbers, booleans and dates. */
  readonly indexes?: readonly (keyof T & string)[];
  /**
   * The version of the values this app writes.
   *
   * @defaultValue `1`
   */
  readonly schemaVersion?: number;
  /**
   * Carries a payload that an older version queued to today's schema; returns the new payload, with the id that the
   * entity has. A write that it gives nothing for, or nothing sound, becomes a dead letter with
   * `store/migration-failed`, as it was queued. What it is given is a copy.
   */
  readonly migrate?: (entry: MigratedEntry) => unknown;
  /**
   * Fold a mutation into one that still waits. False keeps each of them, for audits.
   *
   * @defaultValue `true`
   */
  readonly coalesce?: boolean;
  /**
   * Folds two waiting commands of one name into one; returns the arguments of one that does what both would. Absent,
   * or where it throws or returns nothing: each is sent. What it is given are copies.
   */
  readonly merge?: (previous: unknown, next: unknown, command: string) => unknown;
  /** What a command does to the value the app sees, until the server has answered. */
  readonly applyCommand?: (value: T, command: string, args: unknown) => T;
  /** @defaultValue `'merge-fields'` */
  readonly conflict?: ConflictStrategy<T>;
  /** @defaultValue `'park'` */
  readonly onRejected?: OnRejected;
  /** How long a write may wait before it becomes a dead letter instead. Default: for ever. */
  readonly ttl?: Duration;
  /**
   * Fetch rows from the server too.
   *
   * @defaultValue `true`, where the remote can
   */
  readonly pull?: boolean;
}

export const READ_POLICY: Kind = oneOf(
  'cache-first',
  'network-first',
  'cache-only',
  'network-only',
  'stale-while-revalidate',
);
export const WRITE_POLICY: Kind = oneOf('queue', 'remote-first', 'local-only');

/** Some validators are functions with properties. */
const SCHEMA: Kind = {
  said: 'a Standard Schema validator',
  fits: (value) =>
    eitherOf(OBJECT, FUNCTION).fits(value) &&
    typeof (value as Partial<StandardSchema<unknown>>)['~standard']?.validate === 'function',
};

const CONFLICT: Kind = eitherOf(
  oneOf('server-wins', 'client-wins', 'merge-fields', 'manual'),
  {
    said: "{ strategy: 'merge-fields', prefer: 'local' or 'remote' }",
    fits: (value) => {
      if (!OBJECT.fits(value)) return false;
      const { strategy, prefer } = value as Record<string, unknown>;
      return strategy === 'merge-fields' && (prefer === 'local' || prefer === 'remote');
    },
  },
  FUNCTION,
);

const STORE_OPTIONS: Kinds<StoreConfig<unknown> & { backend: unknown; collection: unknown }> = {
  // These two and the priority have errors of their own.
  backend: ANYTHING,
  collection: ANYTHING,
  priority: ANYTHING,
  id: eitherOf(NAME, FUNCTION),
  readPolicy: READ_POLICY,
  writePolicy: WRITE_POLICY,
  schema: SCHEMA,
  indexes: LIST,
  schemaVersion: COUNT,
  migrate: FUNCTION,
  coalesce: FLAG,
  merge: FUNCTION,
  applyCommand: FUNCTION,
  conflict: CONFLICT,
  onRejected: oneOf('park', 'skip', 'revert'),
  ttl: DURATION,
  pull: FLAG,
};

/** @throws UsageError `usage/invalid-argument`, naming the option */
export function requireStoreOptions<T>(options: StoreConfig<T>): void {
  requireOptions('NexusStore', options, STORE_OPTIONS);
  for (const field of options.indexes ?? []) requireKind('each of indexes', field, NAME);
}
