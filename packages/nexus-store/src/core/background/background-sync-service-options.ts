import {
  ANYTHING,
  FUNCTION,
  NAME,
  OBJECT,
  objectWith,
  requireKind,
  requireOptions,
  type Kind,
} from '../model/arguments.ts';
import type { DeviceState } from '../ports/device-state.ts';
import { BACKEND } from '../ports/kinds.ts';
import type { PlatformScheduler } from '../ports/platform-scheduler.ts';
import type { StoreBackend } from '../store/store-backend.ts';
import type { PlatformRun } from './platform-runs.ts';

export interface BackgroundSyncServiceOptions {
  readonly scheduler: PlatformScheduler;
  /** What the device says of itself. Absent: unknown, and nothing is held back for it. */
  readonly deviceState?: DeviceState;
  /** The backend whose queue is synced. Absent: only registered tasks run. */
  readonly backend?: StoreBackend;
  /**
   * The name of the work, and on iOS the identifier in Info.plist; requests derive theirs from it
   * (`<id>`, `<id>.soon`, `<id>.critical`).
   *
   * @defaultValue `'nexus-store.sync'`
   */
  readonly id?: string;
  /** Called with the pending count after every change: for a badge on the app's icon. */
  readonly onPendingCount?: (count: number) => void | Promise<void>;
  /**
   * The platform's own log of runs, which goes on where no JavaScript runs: what only it knows is added to
   * the journal. Absent: the platform keeps none.
   */
  readonly platformRuns?: () => Promise<readonly PlatformRun[]>;
}

const SCHEDULER = objectWith('a scheduler', 'schedule', 'cancel', 'pending');

/**
 * Each platform's service has options of its own besides: those it looks at itself.
 *
 * @throws UsageError `usage/invalid-argument`, naming the option
 */
export function requireServiceOptions(options: BackgroundSyncServiceOptions): void {
  requireKind('the options of a background service', options, OBJECT);
  const { scheduler, backend, id, onPendingCount, platformRuns } = options;
  requireKind('scheduler', scheduler, SCHEDULER);
  if (backend !== undefined) requireKind('backend', backend, BACKEND);
  if (id !== undefined) requireKind('id', id, NAME);
  if (onPendingCount !== undefined) requireKind('onPendingCount', onPendingCount, FUNCTION);
  if (platformRuns !== undefined) requireKind('platformRuns', platformRuns, FUNCTION);
}

const STORE: Kind = {
  said: 'a NexusStore, or { backend }',
  fits: (value) =>
    typeof value === 'object' &&
    value !== null &&
    BACKEND.fits((value as { readonly backend?: unknown }).backend),
};

/** @throws UsageError `usage/invalid-argument`, naming the option; the configuration has errors of its own */
export function requireInitializeOptions(options: { readonly store: unknown }): void {
  const where = 'BackgroundSyncService.initialize';
  requireOptions(where, options, { store: STORE, config: ANYTHING });
  requireKind(`${where}: store`, options.store, STORE);
}
