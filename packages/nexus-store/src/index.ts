/**
 * The offline-first store and its durable, prioritised sync queue. Platform parts have subpaths of
 * their own: `nexus-store/sqlite`, `/memory`, `/http`, `/node`, `/testing`.
 *
 * @module
 */
import {
  BackgroundSyncServiceFactory as CoreFactory,
  type BackgroundSyncProvider,
  type ServiceParts,
} from './core/background/background-sync-service-factory.ts';
import type { BackgroundSyncService } from './core/background/background-sync-service.ts';
import {
  defineBackgroundSync as define,
  type BackgroundSync,
  type BackgroundSyncDefinition,
} from './core/background/define-background-sync.ts';
import { NoOpSyncService as CoreNoOpSyncService } from './core/background/no-op-sync-service.ts';
import { registeredProviders } from './core/background/provider-registry.ts';
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
  return new StoreBackend(options?.runtime ?? createStandardRuntime(), options);
}

/** A durable queue of its own, for items that are not entities of a store. */
export class PrioritySyncQueue<T> extends CoreQueue<T> {
  constructor(options: PrioritySyncQueueOptions & { readonly runtime?: Runtime }) {
    super(options?.runtime ?? createStandardRuntime(), options);
  }
}

/**
 * Wires a backend to the platform's background service. Call it once, at module scope of the entry
 * file: a headless start evaluates that file and nothing else.
 *
 * @throws UsageError `usage/invalid-argument`, naming the wrong field of `config`
 */
export function defineBackgroundSync(
  definition: BackgroundSyncDefinition & { readonly runtime?: Runtime },
): BackgroundSync {
  return define(definition?.runtime ?? createStandardRuntime(), definition);
}

/** Picks the background service of the platform it runs on. */
export const BackgroundSyncServiceFactory: {
  /**
   * The service of the first provider that detects its platform, else one that does nothing.
   *
   * @param providers by default those whose packages were imported
   */
  create(
    providers?: readonly BackgroundSyncProvider[],
    parts?: ServiceParts & { readonly runtime?: Runtime },
  ): BackgroundSyncService;
} = {
  create: (providers = registeredProviders(), parts = {}) =>
    CoreFactory.create(
      parts?.runtime ?? parts?.backend?.runtime ?? createStandardRuntime(),
      providers,
      parts,
    ),
};

/** Where nothing wakes the app: `isSupported` is false and every call resolves. */
export class NoOpSyncService extends CoreNoOpSyncService {
  constructor(options: ServiceParts & { readonly runtime?: Runtime } = {}) {
    super(options?.runtime ?? options?.backend?.runtime ?? createStandardRuntime(), options);
  }
}

export { abortWith } from './core/background/abort-with.ts';
export {
  BackgroundSyncConfig,
  type BackgroundSyncConfigOptions,
} from './core/background/background-sync-config.ts';
export {
  BackgroundSyncService,
  type BackgroundSyncServiceOptions,
  type ScheduleOutcome,
} from './core/background/background-sync-service.ts';
export type { BackgroundSyncProvider } from './core/background/background-sync-service-factory.ts';
export { BackgroundSyncStatus } from './core/background/background-sync-status.ts';
export type { BackgroundSyncTask, TaskContext } from './core/background/background-sync-task.ts';
export type { TaskResult } from './core/background/budgeted-run.ts';
export type {
  BackgroundSync,
  BackgroundSyncDefinition,
} from './core/background/define-background-sync.ts';
export type { Explanation, Reason, ReasonCode } from './core/background/explanation.ts';
export type { JournalRecord } from './core/background/journal.ts';
export { noOpScheduler } from './core/background/no-op-scheduler.ts';
export type { PlatformRun } from './core/background/platform-runs.ts';
export { registerBackgroundSyncProvider } from './core/background/provider-registry.ts';
export { UNKNOWN_DEVICE, type DeviceFacts, type DeviceState } from './core/ports/device-state.ts';
export type {
  Constraints,
  NetworkType,
  PendingRequest,
  PlatformScheduler,
  RunResult,
  SchedulerCapabilities,
  ScheduleRequest,
  ScheduleResult,
  StopReason,
  WakeUp,
  WeakenedField,
} from './core/ports/platform-scheduler.ts';
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
  type ConflictDetails,
  type ResolveOptions,
  type PendingChangesOptions,
  type PendingOnSignOut,
  type SignOutOptions,
  type SyncMark,
} from './core/store/store-backend.ts';
export type { WithoutStore } from './core/store/collection-registry.ts';
export type { ReadPolicy, StoreConfig, WritePolicy } from './core/store/collection-config.ts';
export type { DeadLetterFilter } from './core/store/dead-letters.ts';
export type { Comparison, OrderBy, Page, Query, Where } from './core/store/query.ts';
export type { StandardSchema } from './core/store/standard-schema.ts';
export type { StoreInTransaction, TransactionStores } from './core/store/transaction.ts';
export type { Watch, WatchState } from './core/store/watchers.ts';
export type { Settled, Write } from './core/store/write.ts';
export type { PrioritySyncQueueOptions } from './core/queue/priority-sync-queue.ts';
export type { QueueClaim, QueueItem } from './core/queue/queue-item.ts';
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
export { silentLogger } from './core/ports/runtime.ts';
export {
  consoleLogger,
  createStandardRuntime,
  type StandardRuntimeOptions,
} from './platforms/standard/standard-runtime.ts';
