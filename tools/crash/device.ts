import { createBackend, NexusStore, type StoreBackend } from 'nexus-store';
import { httpRemote } from 'nexus-store/http';
import { sqliteStorage } from 'nexus-store/sqlite';
import { incremented, keyOf, type Collection, type Entities, type Value } from './operations.ts';

/** One device of the test, as each of its processes opens it. */
export interface Device {
  readonly backend: StoreBackend;
  readonly stores: Readonly<Record<Collection, NexusStore<Value>>>;
}

export interface DeviceOptions {
  readonly database: string;
  readonly url: string;
  readonly token: string;
}

export function openDevice(options: DeviceOptions): Device {
  const backend = createBackend({
    storage: sqliteStorage({ path: options.database }),
    remote: httpRemote({
      url: options.url,
      headers: { authorization: `Bearer ${options.token}` },
      events: false,
    }),
    autoSync: false,
    batchSize: 8,
    // Short, so that leases of the dead end while the test still runs.
    requestTimeout: '800ms',
    lease: '1000ms',
    backoff: { initial: '20ms', cap: '100ms' },
    maxAttempts: 1_000,
  });
  const store = (collection: Collection, coalesce: boolean): NexusStore<Value> =>
    new NexusStore<Value>({
      backend,
      collection,
      coalesce,
      pull: false,
      applyCommand: incremented,
    });
  return {
    backend,
    stores: {
      notes: store('notes', true),
      journal: store('journal', false),
      audit: store('audit', false),
      counters: store('counters', true),
    },
  };
}

/** What this device has now. */
export async function entitiesOf({ stores }: Device): Promise<Entities> {
  const entities: Entities = new Map();
  for (const [collection, store] of Object.entries(stores)) {
    for (const value of await store.getAll({}, { policy: 'cache-only' })) {
      entities.set(keyOf(collection, value.id), value);
    }
  }
  return entities;
}
