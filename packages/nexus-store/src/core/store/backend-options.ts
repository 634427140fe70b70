import { FLAG, OBJECT, requireOptions, type Kinds } from '../model/arguments.ts';
import { UsageError } from '../model/errors.ts';
import { REMOTE, RUNTIME, STORAGE } from '../ports/kinds.ts';
import type { Remote } from '../ports/remote.ts';
import type { Storage } from '../ports/storage.ts';
import { requireLimits, type QueueLimits } from '../queue/limits.ts';
import { SYNC_SETTINGS, type SyncSettings } from '../sync/sync-options.ts';
import { requireWithoutStore, type WithoutStore } from './collection-registry.ts';

export interface BackendOptions extends SyncSettings {
  readonly storage: Storage;
  /** Where writes go. Absent: everything stays here, queued. */
  readonly remote?: Remote;
  /**
   * Send by itself, soon after a write and when a retry is due, and listen to the server's hints, while
   * this backend is open. Without it only `sync` and background runs send.
   *
   * @defaultValue `true`
   */
  readonly autoSync?: boolean;
  readonly limits?: Partial<QueueLimits>;
  /** This context has no screen: conflict handlers are told so. */
  readonly headless?: boolean;
  /** For a context with a part of the app's stores or none: a tool, or a worker. */
  readonly withoutStore?: WithoutStore;
}

const BACKEND_OPTIONS: Kinds<BackendOptions & { readonly runtime: unknown }> = {
  ...SYNC_SETTINGS,
  runtime: RUNTIME,
  storage: STORAGE,
  remote: REMOTE,
  autoSync: FLAG,
  limits: OBJECT,
  headless: FLAG,
  withoutStore: OBJECT,
};

/** @throws UsageError `usage/invalid-argument`, naming the option */
export function requireBackendOptions(options: BackendOptions): void {
  if (typeof options?.storage?.transact !== 'function') {
    throw new UsageError(
      'usage/invalid-argument',
      'createBackend needs a storage, such as sqliteStorage({ path })',
    );
  }
  requireOptions('createBackend', options, BACKEND_OPTIONS);
  requireLimits(options.limits);
  requireWithoutStore(options.withoutStore);
}
