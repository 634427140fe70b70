import {
  ANYTHING,
  FUNCTION,
  LIST,
  NAME,
  requireKind,
  requireOptions,
  type Kinds,
} from '../model/arguments.ts';
import { LiveValue, type Live } from '../model/live.ts';
import { BACKEND, RUNTIME } from '../ports/kinds.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { StoreBackend } from '../store/store-backend.ts';
import {
  BackgroundSyncConfig,
  type BackgroundSyncConfigOptions,
} from './background-sync-config.ts';
import type { BackgroundSyncService, ScheduleOutcome } from './background-sync-service.ts';
import {
  BackgroundSyncServiceFactory,
  type BackgroundSyncProvider,
} from './background-sync-service-factory.ts';
import type { BackgroundSyncStatus } from './background-sync-status.ts';
import type { BackgroundSyncTask } from './background-sync-task.ts';
import type { Explanation } from './explain.ts';
import type { JournalRecord } from './journal.ts';
import { registeredProviders } from './provider-registry.ts';

export interface BackgroundSyncDefinition {
  /**
   * The backend to sync. Called at once. Where a platform is detected, its database opens soon after; where
   * none is, as on a server that renders the app, only when somebody uses it.
   */
  readonly open: () => StoreBackend | Promise<StoreBackend>;
  readonly config?: BackgroundSyncConfig | BackgroundSyncConfigOptions;
  /** More work for every run. */
  readonly tasks?: readonly BackgroundSyncTask[];
  /** Called with the pending count: `expo-notifications`' setBadgeCountAsync, `navigator.setAppBadge`. */
  readonly setBadge?: (count: number) => void | Promise<void>;
  /** The name of the work; on iOS one of the identifiers in Info.plist. */
  readonly id?: string;
  /** @defaultValue those whose packages were imported */
  readonly providers?: readonly BackgroundSyncProvider[];
}

/** Background sync as an app holds it. */
export interface BackgroundSync {
  /** Resolves with the service once it is initialised; rejects with what kept it from being. */
  readonly ready: Promise<BackgroundSyncService>;
  readonly isSupported: boolean;
  readonly status: BackgroundSyncStatus;
  readonly statusStream: Live<BackgroundSyncStatus>;
  scheduleSync(): Promise<ScheduleOutcome>;
  cancelSync(): Promise<void>;
  /** How often the server would like to be asked; see `BackgroundSyncService.hintInterval`. */
  hintInterval(intervalMs: number | null): Promise<void>;
  history(): Promise<readonly JournalRecord[]>;
  explain(): Promise<Explanation>;
  dispose(): Promise<void>;
}

const DEFINITION: Kinds<BackgroundSyncDefinition & { readonly runtime: unknown }> = {
  runtime: RUNTIME,
  open: FUNCTION,
  // BackgroundSyncConfig looks at it.
  config: ANYTHING,
  tasks: LIST,
  setBadge: FUNCTION,
  id: NAME,
  providers: LIST,
};

/**
 * Wires a backend to the platform's background service: its sync runs in every wake-up, wake-ups are
 * asked for as entries arrive, the badge follows the pending count.
 *
 * Call it once, at module scope of the entry file: a headless start evaluates that file and nothing
 * else, and a wake-up finds only what was defined there.
 *
 * @throws UsageError `usage/invalid-argument`, naming the wrong field of `config`
 */
export function defineBackgroundSync(
  runtime: Runtime,
  definition: BackgroundSyncDefinition,
): BackgroundSync {
  requireOptions('defineBackgroundSync', definition, DEFINITION);
  requireKind('defineBackgroundSync: open', definition.open, FUNCTION);
  const config = BackgroundSyncConfig.from(definition.config);
  const providers = definition.providers ?? registeredProviders();
  const logError = (error: unknown): void =>
    runtime.logger.log('error', 'background sync could not be set up', { error: String(error) });
  const status = new LiveValue<BackgroundSyncStatus>('idle', logError);
  const ready = setUp(runtime, definition, config, providers, status);
  // Whoever awaits `ready` hears of a failure too; nobody has to.
  ready.catch(logError);
  return {
    ready,
    isSupported: providers.some((provider) => provider.detect()),
    get status(): BackgroundSyncStatus {
      return status.current;
    },
    statusStream: status,
    scheduleSync: async () => (await ready).scheduleSync(),
    cancelSync: async () => (await ready).cancelSync(),
    hintInterval: async (intervalMs) => (await ready).hintInterval(intervalMs),
    history: async () => (await ready).history(),
    explain: async () => (await ready).explain(),
    dispose: async () => {
      await (await ready).dispose();
      status.close();
    },
  };
}

async function setUp(
  runtime: Runtime,
  definition: BackgroundSyncDefinition,
  config: BackgroundSyncConfig,
  providers: readonly BackgroundSyncProvider[],
  status: LiveValue<BackgroundSyncStatus>,
): Promise<BackgroundSyncService> {
  const { id, setBadge } = definition;
  const create = (backend?: StoreBackend): BackgroundSyncService => {
    // One clock for the queue and for those who wake it.
    const own = backend?.runtime ?? runtime;
    const service = BackgroundSyncServiceFactory.create(own, providers, {
      ...(backend === undefined ? {} : { backend }),
      ...(id === undefined ? {} : { id }),
      ...(setBadge === undefined ? {} : { onPendingCount: setBadge }),
    });
    service.statusStream.subscribe((next) => status.set(next));
    for (const task of definition.tasks ?? []) service.registerTask(task);
    return service;
  };
  let backend: StoreBackend;
  try {
    const opened = definition.open();
    // Without a wait where none is needed: on some systems launch handlers count only until launch ends.
    backend = opened instanceof Promise ? await opened : opened;
    requireKind('what open gives', backend, BACKEND);
  } catch (error) {
    // Wake-ups must be answered all the same, or the system stops giving them.
    failEveryRun(create(), error);
    throw error;
  }
  const service = create(backend);
  await service.initialize(config);
  return service;
}

function failEveryRun(service: BackgroundSyncService, error: unknown): void {
  service.registerTask({
    taskId: 'nexus-store.open',
    execute: () => Promise.reject(error),
  });
}
