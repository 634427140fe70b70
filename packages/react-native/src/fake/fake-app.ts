import {
  createBackend,
  defineBackgroundSync,
  NexusStore,
  type BackgroundSync,
  type BackgroundSyncConfigOptions,
  type BackgroundSyncProvider,
  type BackgroundSyncTask,
  type StoreBackend,
} from 'nexus-store';
import { memoryDatabase, memoryStorage } from 'nexus-store/memory';
import { memoryRemote, MemoryServer, type MemoryRemote } from 'nexus-store/testing';
import { phoneProviders } from '../phone-background-sync.ts';
import type { Entry, EntryContext } from './fake-phone.ts';

export interface Note {
  readonly id: string;
  readonly text: string;
}

/** An app whose entry file makes a backend and defines background sync; its database outlives processes. */
export class FakeApp {
  readonly server: MemoryServer = new MemoryServer();
  readonly config: BackgroundSyncConfigOptions;
  /** How the next processes' remotes answer. */
  prepare: (remote: MemoryRemote) => void = () => {};
  /** Every idempotency key that left a process, with the entity. */
  readonly sent: { readonly key: string; readonly entity: string }[] = [];
  readonly badges: number[] = [];
  /** Work of the app's own, in the next processes. */
  tasks: readonly BackgroundSyncTask[] = [];
  readonly #database = memoryDatabase();
  readonly #providers: (context: EntryContext) => readonly BackgroundSyncProvider[];
  #backend: StoreBackend | undefined;
  #notes: NexusStore<Note> | undefined;
  #background: BackgroundSync | undefined;

  constructor(
    config: BackgroundSyncConfigOptions = {},
    providers?: (context: EntryContext) => readonly BackgroundSyncProvider[],
  ) {
    this.config = config;
    this.#providers =
      providers ?? (({ createPhone, network }) => phoneProviders(createPhone(), { network }));
  }

  /** What the entry file does, in every JavaScript context anew. */
  readonly entry: Entry = (context) => {
    const { runtime } = context.app;
    const remote = memoryRemote({ server: this.server });
    this.prepare(remote);
    const push = remote.push.bind(remote);
    remote.push = async (batch, remoteContext) => {
      for (const { idempotencyKey, entityId } of batch)
        this.sent.push({ key: idempotencyKey, entity: String(entityId) });
      // Without a network nothing leaves.
      const { isConnected } = await context.app.state.read();
      if (isConnected === false)
        return batch.map(() => ({
          kind: 'retry',
          scope: 'endpoint',
          ambiguous: false,
          failure: { code: 'remote/offline', at: remoteContext.now },
        }));
      return push(batch, remoteContext);
    };
    const storage = memoryStorage({ database: this.#database });
    const backend = createBackend({ storage, remote, runtime });
    this.#backend = backend;
    this.#notes = new NexusStore<Note>({ backend, collection: 'notes' });
    this.#background = defineBackgroundSync({
      open: () => backend,
      config: this.config,
      runtime,
      providers: this.#providers(context),
      tasks: this.tasks,
      setBadge: (count) => void this.badges.push(count),
    });
  };

  get notes(): NexusStore<Note> {
    if (this.#notes === undefined) throw new TypeError('the app was never started');
    return this.#notes;
  }

  get backend(): StoreBackend {
    if (this.#backend === undefined) throw new TypeError('the app was never started');
    return this.#backend;
  }

  get background(): BackgroundSync {
    if (this.#background === undefined) throw new TypeError('the app was never started');
    return this.#background;
  }

  /** Ids of notes on the server, in the order of their arrival. */
  get arrived(): readonly string[] {
    return this.server.applied.map(({ entityId }) => String(entityId));
  }

  /** Applied twice by the server: must stay empty. */
  get twice(): readonly string[] {
    return this.arrived.filter((id, index) => this.arrived.indexOf(id) !== index);
  }
}
