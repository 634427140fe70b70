import type { Remote } from '../ports/remote.ts';
import type { Storage } from '../ports/storage.ts';
import type { QueueLimits } from '../queue/enqueue.ts';
import type { SyncSettings } from '../sync/sync-options.ts';

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
}
