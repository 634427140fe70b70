import type { BackgroundSyncConfigOptions } from '../../../core/background/background-sync-config.ts';
import type { BackgroundSyncTask } from '../../../core/background/background-sync-task.ts';
import { RemoteError } from '../../../core/model/errors.ts';
import { StoreBackend } from '../../../core/store/store-backend.ts';
import { NexusStore } from '../../../core/store/nexus-store.ts';
import { memoryDatabase, memoryStorage } from '../../../storage/memory/memory-storage.ts';
import type { MemoryStorage } from '../../../storage/memory/memory-storage.ts';
import { answers, type Note } from '../../../testing/backend-fixture.ts';
import { MemoryServer } from '../../../testing/memory-server.ts';
import { memoryRemote, type MemoryRemote } from '../../../testing/memory-remote.ts';
import { createVirtualRuntime, type VirtualRuntime } from '../../../testing/virtual-runtime.ts';
import { ServiceWorkerSyncService } from '../service-worker-sync-service.ts';
import { serveBackgroundSync, type WorkerSync } from '../worker/serve-background-sync.ts';
import { FakeOrigin, type FakeContext, type FakeFeatures, type FakeTab } from './fake-origin.ts';

export interface FieldAppOptions extends FakeFeatures {
  readonly config?: BackgroundSyncConfigOptions;
  /** How long a request takes. @unit milliseconds */
  readonly latencyMs?: number;
  readonly batchSize?: number;
  readonly badge?: boolean;
  readonly tasks?: readonly BackgroundSyncTask[];
}

/** One tab with the app in it. */
export interface Opened {
  readonly tab: FakeTab;
  readonly backend: StoreBackend;
  readonly notes: NexusStore<Note>;
  readonly service: ServiceWorkerSyncService;
  readonly remote: MemoryRemote;
  /** As people close a tab. */
  readonly close: () => void;
  /** As it crashes. */
  readonly crash: () => void;
}

/** An app with pages and a service worker on one database, over fakes of all that browsers give. */
export class FieldApp {
  readonly runtime: VirtualRuntime = createVirtualRuntime(1);
  readonly origin: FakeOrigin;
  readonly server: MemoryServer = new MemoryServer();
  /** What the server answers; undefined: what a server answers. */
  down: 'no' | 'unreachable' | 503 = 'no';
  worker: WorkerSync | undefined;
  workerBackend: StoreBackend | undefined;
  /** How often the worker's `open` was called, and how often it is to fail. */
  opens = 0;
  failingOpens = 0;
  readonly tabs: Opened[] = [];
  /** Every push of any context: which, and what it carried. */
  readonly pushes: { readonly by: FakeContext; readonly ids: readonly string[] }[] = [];
  readonly #options: FieldAppOptions;
  readonly #database = memoryDatabase();
  readonly #storages = new Map<FakeContext, MemoryStorage>();

  constructor(options: FieldAppOptions = {}) {
    this.#options = options;
    this.origin = new FakeOrigin(this.runtime, options);
    this.origin.script = (worker) => {
      this.worker = serveBackgroundSync(
        {
          open: () => {
            this.opens += 1;
            if (this.opens <= this.failingOpens) throw new Error('the database is damaged');
            this.workerBackend = this.#backend(worker).backend;
            return this.workerBackend;
          },
          badge: options.badge ?? false,
          tasks: options.tasks ?? [],
        },
        worker.asScope,
        worker.browser,
      );
    };
  }

  /** What the server got, as `operation id`, in the order of arrival. */
  get arrivals(): readonly string[] {
    return this.server.applied.map(({ operation, entityId }) => `${operation} ${String(entityId)}`);
  }

  async open(): Promise<Opened> {
    const tab = this.origin.openTab();
    const { backend, remote } = this.#backend(tab);
    const notes = new NexusStore<Note>({ backend, collection: 'notes' });
    const { badge = false, config = {} } = this.#options;
    const service = new ServiceWorkerSyncService({ backend, badge }, tab.browser);
    const crash = (): void => this.#kill(tab);
    const close = (): void => {
      tab.show(false);
      tab.scope.fire('pagehide');
      crash();
    };
    const opened = { tab, backend, notes, service, remote, close, crash };
    this.tabs.push(opened);
    const ready = service.initialize(config);
    await this.runtime.settle();
    await ready;
    return opened;
  }

  /** The browser takes the worker, as it does with one that has nothing to do. */
  stopWorker(): void {
    this.#kill(this.origin.worker());
  }

  /** Ends everything, and tells how many timers are left then. */
  async end(): Promise<number> {
    for (const { tab, service, backend } of this.tabs) {
      if (!tab.process.isAlive) continue;
      await service.dispose();
      await backend.close();
    }
    this.origin.sync.close();
    for (const context of [...this.origin.contexts]) context.kill();
    await this.runtime.settle();
    return this.runtime.pendingTimers;
  }

  #backend(context: FakeContext): { backend: StoreBackend; remote: MemoryRemote } {
    const { process } = context;
    const { latencyMs = 50, batchSize = 10 } = this.#options;
    const storage = memoryStorage({ database: this.#database });
    this.#storages.set(context, storage);
    const remote = memoryRemote({
      server: this.server,
      hints: false,
      latency: () => new Promise((resolve) => void process.timers.after(latencyMs, resolve)),
    });
    remote.answerWith(({ batch }) => {
      const ids = batch.map(({ entityId }) => String(entityId));
      this.pushes.push({ by: context, ids });
      if (!this.origin.isOnline || this.down === 'unreachable') return 'refuse-connection';
      return this.down === 503 ? answers.endpoint(503) : 'apply';
    });
    const pull = remote.pull.bind(remote);
    // Where nothing gets out, nothing comes in.
    remote.pull = async (...asked) => {
      if (!this.origin.isOnline || this.down === 'unreachable')
        throw new RemoteError('remote/offline', 'there is no way to the server');
      return pull(...asked);
    };
    const backend = new StoreBackend(process, { storage, remote, batchSize });
    return { backend, remote };
  }

  #kill(context: FakeContext): void {
    context.kill();
    this.#storages.get(context)?.kill();
  }
}
