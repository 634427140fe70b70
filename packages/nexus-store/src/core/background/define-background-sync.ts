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
import type { Explanation } from './explanation.ts';
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
  /**
   * Resolves with the service once it is initialised; rejects with what kept it from being. After a failure
   * it is tried again whenever this is read or anything here is called, and when the database opens.
   */
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
  const setUp = new SetUp({ runtime, definition, config, providers, status, logError });
  void setUp.ready();
  return {
    get ready(): Promise<BackgroundSyncService> {
      return setUp.ready();
    },
    isSupported: providers.some((provider) => provider.detect()),
    get status(): BackgroundSyncStatus {
      return status.current;
    },
    statusStream: status,
    scheduleSync: async () => (await setUp.ready()).scheduleSync(),
    cancelSync: async () => (await setUp.ready()).cancelSync(),
    hintInterval: async (intervalMs) => (await setUp.ready()).hintInterval(intervalMs),
    history: async () => (await setUp.ready()).history(),
    explain: async () => (await setUp.ready()).explain(),
    dispose: async () => {
      await setUp.dispose();
      status.close();
    },
  };
}

interface SetUpParts {
  readonly runtime: Runtime;
  readonly definition: BackgroundSyncDefinition;
  readonly config: BackgroundSyncConfig;
  readonly providers: readonly BackgroundSyncProvider[];
  readonly status: LiveValue<BackgroundSyncStatus>;
  readonly logError: (error: unknown) => void;
}

/**
 * Makes the service, and makes it ready. A database that does not open at first, as when the disk is slow
 * or another tab is in the way, may open a moment later: what failed is tried again whenever somebody asks
 * for it, and when somebody else has opened the database.
 */
class SetUp {
  readonly #parts: SetUpParts;
  #attempt: Promise<BackgroundSyncService> | undefined;
  #hasFailed = false;
  #isDisposed = false;
  #opened: { readonly backend: StoreBackend; readonly service: BackgroundSyncService } | undefined;
  /** Answers wake-ups as long as there is no backend. */
  #standIn: BackgroundSyncService | undefined;
  #stopWaiting: (() => void) | undefined;

  constructor(parts: SetUpParts) {
    this.#parts = parts;
  }

  /** The service once it is initialised. After a failure the next call tries again. */
  ready(): Promise<BackgroundSyncService> {
    // What was disposed of is not begun anew.
    if (this.#attempt === undefined || (this.#hasFailed && !this.#isDisposed)) {
      this.#hasFailed = false;
      this.#attempt = this.#try().catch((error: unknown) => {
        this.#hasFailed = true;
        this.#parts.logError(error);
        throw error;
      });
      // Whoever awaits it hears of a failure too; nobody has to.
      this.#attempt.catch(() => {});
    }
    return this.#attempt;
  }

  async dispose(): Promise<void> {
    this.#isDisposed = true;
    this.#stopWaiting?.();
    await this.#attempt?.catch(() => {});
    await this.#standIn?.dispose();
    await this.#opened?.service.dispose();
  }

  async #try(): Promise<BackgroundSyncService> {
    if (this.#opened === undefined) {
      const { definition, logError } = this.#parts;
      let backend: StoreBackend;
      try {
        const opened = definition.open();
        // Without a wait where none is needed: on some systems launch handlers count only until launch ends.
        backend = opened instanceof Promise ? await opened : opened;
        requireKind('what open gives', backend, BACKEND);
      } catch (error) {
        // Wake-ups must be answered all the same, or the system stops giving them.
        this.#standIn ??= this.#createStandIn();
        throw error;
      }
      this.#opened = { backend, service: this.#create(backend) };
      // Not awaited: it may be in the very run that tries this.
      this.#standIn?.dispose().catch(logError);
      this.#standIn = undefined;
    }
    const { backend, service } = this.#opened;
    try {
      await service.initialize(this.#parts.config);
    } catch (error) {
      this.#waitFor(backend);
      throw error;
    }
    this.#stopWaiting?.();
    return service;
  }

  #create(backend?: StoreBackend): BackgroundSyncService {
    const { runtime, definition, providers, status } = this.#parts;
    const { id, setBadge, tasks = [] } = definition;
    // One clock for the queue and for those who wake it.
    const own = backend?.runtime ?? runtime;
    const service = BackgroundSyncServiceFactory.create(own, providers, {
      ...(backend === undefined ? {} : { backend }),
      ...(id === undefined ? {} : { id }),
      ...(setBadge === undefined ? {} : { onPendingCount: setBadge }),
    });
    service.statusStream.subscribe((next) => status.set(next));
    for (const task of tasks) service.registerTask(task);
    return service;
  }

  #createStandIn(): BackgroundSyncService {
    const service = this.#create();
    service.registerTask({
      taskId: 'nexus-store.open',
      execute: async () => {
        await this.ready();
        return false; // opened by now: the next wake-up finds everything
      },
    });
    return service;
  }

  /** What is written, and a database that is open where it was not, are worth another attempt. */
  #waitFor(backend: StoreBackend): void {
    if (this.#stopWaiting !== undefined || this.#isDisposed) return;
    let wasOpen = backend.isOpen;
    const again = (): void => void this.ready();
    const stops = [
      backend.on(({ type }) => {
        if (type === 'entry-enqueued') again();
      }),
      // Looking at the status opens the database, if it can be: a failure that was short ends here.
      backend.status.subscribe(() => {
        if (backend.isOpen && !wasOpen) again();
        wasOpen = backend.isOpen;
      }),
    ];
    this.#stopWaiting = () => {
      for (const stop of stops.splice(0)) stop();
    };
  }
}
