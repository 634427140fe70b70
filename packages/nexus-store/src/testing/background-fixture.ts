import type { BackgroundSyncConfigOptions } from '../core/background/background-sync-config.ts';
import {
  BackgroundSyncService,
  type ScheduleOutcome,
} from '../core/background/background-sync-service.ts';
import type { SyncEvent } from '../core/model/events.ts';
import type { SyncPriority } from '../core/model/priority.ts';
import type { DeviceFacts } from '../core/ports/device-state.ts';
import type { SchedulerCapabilities } from '../core/ports/platform-scheduler.ts';
import type { Storage } from '../core/ports/storage.ts';
import { NexusStore } from '../core/store/nexus-store.ts';
import { StoreBackend } from '../core/store/store-backend.ts';
import { ManualDeviceState } from './manual-device-state.ts';
import { ManualScheduler } from './manual-scheduler.ts';
import { memoryRemote, type MemoryRemote } from './memory-remote.ts';
import { createVirtualRuntime, type VirtualRuntime } from './virtual-runtime.ts';

export interface BackgroundFixtureOptions {
  readonly storage: Storage;
  readonly runtime?: VirtualRuntime;
  readonly remote?: MemoryRemote;
  readonly capabilities?: Partial<SchedulerCapabilities>;
  readonly facts?: Partial<DeviceFacts>;
  readonly autoSync?: boolean;
  readonly onPendingCount?: (count: number) => void | Promise<void>;
}

/** One process of an app with a background service, in the background unless it says otherwise. */
export class BackgroundFixture {
  readonly runtime: VirtualRuntime;
  readonly remote: MemoryRemote;
  readonly backend: StoreBackend;
  readonly scheduler: ManualScheduler;
  readonly device: ManualDeviceState;
  readonly service: BackgroundSyncService;
  readonly store: NexusStore<{ id: string }>;
  readonly events: SyncEvent[] = [];
  #saved = 0;

  constructor(options: BackgroundFixtureOptions) {
    const { storage, capabilities, facts, autoSync = false, onPendingCount } = options;
    this.runtime = options.runtime ?? createVirtualRuntime(1);
    this.remote = options.remote ?? memoryRemote();
    const { runtime, remote } = this;
    this.backend = new StoreBackend(runtime, { storage, remote, autoSync });
    this.scheduler = new ManualScheduler(runtime, capabilities);
    this.device = new ManualDeviceState({ appState: 'background', ...facts });
    this.service = new BackgroundSyncService(runtime, {
      scheduler: this.scheduler,
      deviceState: this.device,
      backend: this.backend,
      id: 'sync',
      ...(onPendingCount === undefined ? {} : { onPendingCount }),
    });
    this.store = new NexusStore<{ id: string }>({ backend: this.backend, collection: 'notes' });
    this.backend.on((event) => this.events.push(event));
  }

  async save(priority: SyncPriority): Promise<void> {
    this.#saved += 1;
    await settled(this.runtime, this.store.save({ id: `note-${this.#saved}` }, { priority }));
  }

  init(config?: BackgroundSyncConfigOptions): Promise<ScheduleOutcome> {
    return settled(this.runtime, this.service.initialize(config));
  }

  /** What was asked of the system and is pending. */
  ids(): string[] {
    return [...this.scheduler.requests.keys()].toSorted();
  }

  /** Wakes the app and lets the run end. Returns every call of `complete`. */
  async runOf(id: string): Promise<readonly string[]> {
    const { results } = this.scheduler.wake(id);
    await this.runtime.advance('30s');
    return results;
  }
}

/** What a promise comes to that needs time to pass. */
export async function settled<T>(runtime: VirtualRuntime, promise: Promise<T>): Promise<T> {
  let isSettled = false;
  const mark = (): void => {
    isSettled = true;
  };
  promise.then(mark, mark);
  await runtime.settle();
  for (let turns = 0; !isSettled && turns < 2_000; turns++) await runtime.advance(1);
  return promise;
}
