import { BackgroundSyncService } from '../../core/background/background-sync-service.ts';
import type { BackgroundSyncConfigOptions } from '../../core/background/background-sync-config.ts';
import type { BackgroundSyncTask } from '../../core/background/background-sync-task.ts';
import {
  defineBackgroundSync,
  type BackgroundSync,
} from '../../core/background/define-background-sync.ts';
import type { Remote } from '../../core/ports/remote.ts';
import type { Runtime } from '../../core/ports/runtime.ts';
import type { Storage } from '../../core/ports/storage.ts';
import { NexusStore } from '../../core/store/nexus-store.ts';
import { StoreBackend, type BackendOptions } from '../../core/store/store-backend.ts';
import type { AppContext } from '../device/simulated-app.ts';

/** What the app in the simulations writes down. */
export interface FieldNote {
  readonly id: string;
  readonly savedAt: number;
}

export interface FieldAppOptions {
  /** A handle on the device's database, for each process anew. */
  readonly openStorage: () => Storage & { kill?(): void };
  readonly remote: (runtime: Runtime) => Remote;
  readonly config?: BackgroundSyncConfigOptions;
  readonly backend?: Partial<BackendOptions>;
  readonly tasks?: readonly BackgroundSyncTask[];
  /** Called in each process once everything is wired. */
  readonly onStart?: (life: FieldLife) => void;
}

/** One process of the app. */
export interface FieldLife {
  readonly context: AppContext;
  readonly backend: StoreBackend;
  readonly notes: NexusStore<FieldNote>;
  readonly background: BackgroundSync;
}

/**
 * A small app with background sync, as `start` of a simulated device: what its entry file does, in each
 * process of the device anew, over one database.
 */
export class FieldApp {
  readonly lives: FieldLife[] = [];
  readonly #options: FieldAppOptions;
  #killStorage: (() => void) | undefined;

  constructor(options: FieldAppOptions) {
    this.#options = options;
  }

  /** The process that was started last. */
  get life(): FieldLife {
    const life = this.lives.at(-1);
    if (life === undefined) throw new TypeError('the app was not started yet');
    return life;
  }

  readonly start = (context: AppContext): void => {
    this.#killStorage?.(); // what the last process had begun was never committed
    const { openStorage, remote, config, tasks, onStart } = this.#options;
    const storage = openStorage();
    this.#killStorage = () => storage.kill?.();
    const { runtime, scheduler, state } = context;
    const backend = new StoreBackend(runtime, {
      storage,
      remote: remote(runtime),
      headless: context.startedBy === 'system',
      ...this.#options.backend,
    });
    const notes = new NexusStore<FieldNote>({ backend, collection: 'notes' });
    const background = defineBackgroundSync(runtime, {
      open: () => backend,
      ...(config === undefined ? {} : { config }),
      ...(tasks === undefined ? {} : { tasks }),
      providers: [
        {
          name: 'simulated device',
          detect: () => true,
          create: (own, parts) =>
            new BackgroundSyncService(own, { scheduler, deviceState: state, ...parts }),
        },
      ],
    });
    const life = { context, backend, notes, background };
    this.lives.push(life);
    onStart?.(life);
  };
}
