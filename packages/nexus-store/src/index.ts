/**
 * The offline-first store and its durable, prioritised sync queue. Platform parts have subpaths of
 * their own: `nexus-store/sqlite`, `/memory`, `/http`, `/node`, `/testing`.
 *
 * @module
 */
import {
  PrioritySyncQueue as CoreQueue,
  type PrioritySyncQueueOptions,
} from './core/queue/priority-sync-queue.ts';
import { StoreBackend, type BackendOptions } from './core/store/store-backend.ts';
import type { Runtime } from './core/ports/runtime.ts';
import { createStandardRuntime } from './platforms/standard/standard-runtime.ts';

/**
 * Joins a storage with a remote. All stores of a backend share its one queue.
 *
 * @throws UsageError `usage/invalid-argument`, naming the option
 */
export function createBackend(
  options: BackendOptions & { readonly runtime?: Runtime },
): StoreBackend {
  return new StoreBackend(options.runtime ?? createStandardRuntime(), options);
}

/** A durable queue of its own, for items that are not entities of a store. */
export class PrioritySyncQueue<T> extends CoreQueue<T> {
  constructor(options: PrioritySyncQueueOptions & { readonly runtime?: Runtime }) {
    super(options.runtime ?? createStandardRuntime(), options);
  }
}

export {
  NexusStore,
  type DeleteOptions,
  type ReadOptions,
  type StoreOptions,
  type WriteOptions,
} from './core/store/nexus-store.ts';
export {
  StoreBackend,
  type BackendOptions,
  type PendingOnSignOut,
} from './core/store/store-backend.ts';
export type { ReadPolicy, StoreConfig, WritePolicy } from './core/store/collection-config.ts';
export type { DeadLetterFilter } from './core/store/dead-letters.ts';
export type { Comparison, OrderBy, Page, Query, Where } from './core/store/query.ts';
export type { StandardSchema } from './core/store/standard-schema.ts';
export type { StoreInTransaction, TransactionStores } from './core/store/transaction.ts';
export type { Settled, Write } from './core/store/write.ts';
export type {
  QueueClaim,
  QueueItem,
  PrioritySyncQueueOptions,
} from './core/queue/priority-sync-queue.ts';
export type { CancelResult, RetryResult } from './core/queue/control.ts';
export type { OnRejected } from './core/queue/collection-rules.ts';
export type { QueueLimits } from './core/queue/enqueue.ts';
export type {
  ConflictContext,
  ConflictStrategy,
  Resolution,
} from './core/sync/conflict-strategy.ts';
export type { MigratedEntry } from './core/sync/sync-context.ts';
export type { SyncOptions, SyncSettings } from './core/sync/sync-options.ts';
export type { SyncStatus } from './core/sync/sync-status.ts';
export type { Duration } from './core/model/duration.ts';
export type {
  Entry,
  EntityId,
  EntryId,
  EntryRef,
  EntryState,
  Operation,
} from './core/model/entry.ts';
export {
  InvariantError,
  isNexusError,
  NexusError,
  QueueError,
  RemoteError,
  ScheduleError,
  StoppedError,
  StorageError,
  StoreError,
  UsageError,
  type ErrorCode,
} from './core/model/errors.ts';
export type { SyncEvent } from './core/model/events.ts';
export type { Live } from './core/model/live.ts';
export type { Outcome, SyncFailure } from './core/model/outcome.ts';
export { PRIORITIES, SyncPriority } from './core/model/priority.ts';
export type { SyncReport } from './core/model/sync-report.ts';
export type {
  Clock,
  Ids,
  Logger,
  LogLevel,
  Random,
  Runtime,
  Timers,
} from './core/ports/runtime.ts';
export type {
  OutgoingEntry,
  PulledRow,
  PullPage,
  PullRequest,
  Remote,
  RemoteCapabilities,
  RemoteContext,
} from './core/ports/remote.ts';
export type { Storage, StorageCapabilities } from './core/ports/storage.ts';
export { consoleLogger, createStandardRuntime } from './platforms/standard/standard-runtime.ts';
