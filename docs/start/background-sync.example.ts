// Background sync from the first line to the headless start. It type-checks, and its test runs it on a
// simulated Android phone and a simulated iPhone.
import {
  BackgroundSyncService,
  createBackend,
  defineBackgroundSync,
  NexusStore,
  SyncPriority,
  type BackendOptions,
  type BackgroundSync,
  type BackgroundSyncConfigOptions,
  type Runtime,
} from 'nexus-store';

interface User {
  readonly id: string;
  readonly name: string;
}

/** In an app: `{ storage: sqliteStorage({ path: 'app.db' }), remote: httpRemote({ url, headers }) }`. */
export type AppParts = BackendOptions & { readonly runtime?: Runtime };

const config: BackgroundSyncConfigOptions = {
  enabled: true,
  minInterval: '15m',
  requiresNetwork: true,
  requiresCharging: false,
  requiresBatteryNotLow: true,
};

export function openUsers(parts: AppParts): NexusStore<User> {
  return new NexusStore<User>({ backend: createBackend(parts), collection: 'users' });
}

/** The screen. */
export async function runApp(parts: AppParts, print: (line: string) => void): Promise<void> {
  const store = openUsers(parts);

  // Initialise background sync.
  await BackgroundSyncService.initialize({ store, config });

  // Watch what it does.
  BackgroundSyncService.instance.statusStream.subscribe((status) => {
    print(`Background sync: ${status}`);
  });

  // Ask for it. Every write does so by itself; here it is done by hand.
  await BackgroundSyncService.instance.scheduleSync();

  // Each is on disk when its save resolves. The critical one is sent first.
  await store.save({ id: 'u1', name: 'Ada' }, { priority: SyncPriority.normal });
  await store.save({ id: 'u2', name: 'Grace' }, { priority: SyncPriority.critical });
}

/**
 * The entry file, which a headless start evaluates without a screen: in an app this is
 * `export const background = defineBackgroundSync({ … })` at module scope, and no function around it.
 */
export function runEntryFile(
  parts: AppParts,
  providers: NonNullable<Parameters<typeof defineBackgroundSync>[0]['providers']>,
): BackgroundSync {
  return defineBackgroundSync({
    open: () => openUsers(parts).backend,
    config,
    providers, // an app leaves them out: importing a platform's package registers it
  });
}
