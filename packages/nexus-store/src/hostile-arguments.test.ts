import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  BackgroundSyncConfig,
  BackgroundSyncService,
  BackgroundSyncServiceFactory,
  createBackend,
  createStandardRuntime,
  defineBackgroundSync,
  isNexusError,
  NexusStore,
  PrioritySyncQueue,
  registerBackgroundSyncProvider,
  type StoreBackend,
} from './index.ts';
import {
  drainBeforeQuit,
  electronDeviceState,
  nodeBackgroundSync,
  nodeDeviceState,
  nodeScheduler,
  NodeSyncService,
} from './platforms/node/index.ts';
import { answerClass, classify, httpRemote } from './remote/http/index.ts';
import { memoryStorage } from './storage/memory/index.ts';
import { indexedDbStorage } from './storage/indexeddb/index.ts';
import { betterSqlite3Client, sqliteStorage } from './storage/sqlite/index.ts';
import {
  EMPTY,
  errorOf,
  faultsOf,
  FLAGS,
  FUNCTIONS,
  HOSTILE,
  IDS,
  LENGTHS,
  LIMITS,
  OBJECTS,
  optionCases,
  PLAIN,
  UNDEFINED,
  type Hostile,
  type HostileCase,
} from './testing/hostile-arguments.ts';

const backendOf = (options: object = {}): StoreBackend =>
  createBackend({ storage: memoryStorage(), ...options });
const storeOf = (backend = backendOf()): NexusStore<Hostile, Hostile> =>
  new NexusStore<Hostile, Hostile>({ backend, collection: 'c' });
const withOne = async (): Promise<NexusStore<Hostile, Hostile>> => {
  const store = storeOf();
  await store.save({ id: 'a', x: 1 });
  return store;
};
const queueOf = (): PrioritySyncQueue<Hostile> =>
  new PrioritySyncQueue({ storage: memoryStorage() });
const claimed = async (): Promise<[PrioritySyncQueue<Hostile>, Hostile]> => {
  const queue = queueOf();
  await queue.enqueue(1);
  return [queue, await queue.claim()];
};
const inTransaction = (use: (store: Hostile) => unknown): Promise<unknown> => {
  const store = storeOf();
  return store.backend.transaction(async (tx) => use(tx.store(store)));
};

const CASES: Readonly<Record<string, HostileCase>> = {
  'createBackend(x)': { call: (x) => createBackend(x) },
  ...optionCases('createBackend', (options) => backendOf(options), {
    storage: [],
    remote: UNDEFINED,
    runtime: UNDEFINED,
    limits: EMPTY,
    autoSync: FLAGS,
    headless: FLAGS,
    concurrency: UNDEFINED,
    batchSize: UNDEFINED,
    requestTimeout: ['undefined', 'fraction'],
    lease: ['undefined', 'huge'],
    backoff: EMPTY,
    maxAttempts: UNDEFINED,
    aging: LENGTHS,
  }),
  ...optionCases('limits', (limits) => backendOf({ limits }), {
    maxEntries: LIMITS,
    maxBytes: LIMITS,
    maxEntryBytes: LIMITS,
  }),
  ...optionCases('backoff', (backoff) => backendOf({ backoff }), {
    policy: UNDEFINED,
    initial: LENGTHS,
    cap: LENGTHS,
  }),
  'new NexusStore(x)': { call: (x) => new NexusStore(x) },
  ...optionCases(
    'NexusStore',
    (options) => new NexusStore({ backend: backendOf(), collection: 'c', ...options } as Hostile),
    {
      backend: [],
      collection: ['text'],
      id: ['undefined', 'text', 'function'],
      priority: ['undefined', 'null'],
      readPolicy: UNDEFINED,
      writePolicy: UNDEFINED,
      schema: UNDEFINED,
      indexes: ['undefined', 'empty list'],
      schemaVersion: UNDEFINED,
      migrate: FUNCTIONS,
      coalesce: FLAGS,
      merge: FUNCTIONS,
      applyCommand: FUNCTIONS,
      conflict: FUNCTIONS,
      onRejected: UNDEFINED,
      ttl: LENGTHS,
      pull: FLAGS,
    },
  ),
  'save(x)': { call: (x) => storeOf().save(x), accepts: ['object with an id'] },
  'saveAll(x)': { call: (x) => storeOf().saveAll(x), accepts: ['empty list'] },
  'saveAll([one, x])': {
    call: (x) => storeOf().saveAll([{ id: 'a' }, x]),
    accepts: ['object with an id'],
  },
  'patch(x, fields)': { call: async (x) => (await withOne()).patch(x, { y: 1 }), accepts: [] },
  'patch(id, x)': {
    call: async (x) => (await withOne()).patch('a', x),
    accepts: ['map', 'empty object', ...OBJECTS.filter((name) => name !== 'object with an id')],
  },
  'delete(x)': { call: (x) => storeOf().delete(x), accepts: IDS },
  'deleteAll(x)': { call: (x) => storeOf().deleteAll(x), accepts: EMPTY },
  'command(x, name)': { call: (x) => storeOf().command(x, 'increment'), accepts: IDS },
  'command(id, x)': { call: (x) => storeOf().command('a', x), accepts: ['text'] },
  'command(id, name, x)': { call: (x) => storeOf().command('a', 'increment', x), accepts: PLAIN },
  'get(x)': { call: (x) => storeOf().get(x), accepts: IDS },
  'getAll(x)': { call: (x) => storeOf().getAll(x), accepts: EMPTY },
  'getPage(x)': { call: (x) => storeOf().getPage(x), accepts: EMPTY.slice(1) },
  'watch(x)': { call: (x) => storeOf().watch(x), accepts: IDS },
  'watchAll(x)': { call: (x) => storeOf().watchAll(x), accepts: EMPTY },
  'watch(id).subscribe(x)': {
    call: (x) => storeOf().watch('a').subscribe(x),
    accepts: ['function'],
    names: 'listener',
  },
  ...writeOptionCases('save', (options) => storeOf().save({ id: 'a' }, options)),
  ...writeOptionCases('saveAll', (options) => storeOf().saveAll([{ id: 'a' }], options)),
  ...writeOptionCases('patch', async (options) => (await withOne()).patch('a', {}, options)),
  ...writeOptionCases('delete', (options) => storeOf().delete('a', options)),
  ...writeOptionCases('deleteAll', async (options) => (await withOne()).deleteAll({}, options)),
  ...writeOptionCases('command', (options) => storeOf().command('a', 'b', 1, options)),
  ...writeOptionCases('transaction save', (options) =>
    inTransaction((store) => store.save({ id: 'a' }, options)),
  ),
  ...optionCases('get', (options) => storeOf().get('a', options), { policy: UNDEFINED }),
  ...optionCases('getAll', (options) => storeOf().getAll({}, options), { policy: UNDEFINED }),
  ...optionCases('watch', (options) => storeOf().watch('a', options), { policy: UNDEFINED }),
  ...optionCases('query', async (query) => (await withOne()).getAll(query), {
    where: [...EMPTY, 'object with an id', 'object that cannot become a text'],
    orderBy: ['undefined', 'empty text', 'text', 'empty list'],
    limit: ['undefined', 'zero', 'huge'],
    after: UNDEFINED,
  }),
  'query where field in x': {
    call: async (x) => (await withOne()).getAll({ where: { x: { in: x } } }),
    accepts: Object.keys(HOSTILE).filter((name) => name.includes('list')),
  },
  'transaction(x)': {
    call: (x) => backendOf().transaction(x),
    accepts: ['function'],
    names: 'body',
  },
  'tx.transaction(x)': {
    call: (x) => backendOf().transaction((tx) => tx.transaction(x)),
    accepts: ['function'],
    names: 'body',
  },
  'tx.store(x)': { call: (x) => backendOf().transaction((tx) => void tx.store(x)) },
  'tx.save(x)': {
    call: (x) => inTransaction((store) => store.save(x)),
    accepts: ['object with an id'],
  },
  'tx.delete(x)': { call: (x) => inTransaction((store) => store.delete(x)), accepts: IDS },
  'tx.get(x)': { call: (x) => inTransaction((store) => store.get(x)), accepts: IDS },
  ...optionCases('sync', (options) => backendOf().sync(options), {
    deadline: ['undefined', 'zero', 'negative', 'fraction', 'huge'],
    budget: LENGTHS,
    signal: UNDEFINED,
    reason: ['undefined', 'empty text', 'text'],
  }),
  'on(x)': { call: (x) => backendOf().on(x), accepts: ['function'], names: 'listener' },
  ...optionCases('pendingChanges', (options) => backendOf().pendingChanges(options), {
    collection: ['undefined', 'text'],
    limit: UNDEFINED,
  }),
  'watchSyncMark(x, id)': {
    call: (x) => backendOf().watchSyncMark(x, 'a'),
    accepts: ['text'],
    names: 'collection',
  },
  'watchSyncMark(collection, x)': {
    call: (x) => backendOf().watchSyncMark('notes', x),
    accepts: IDS,
    names: 'watchSyncMark needs an id',
  },
  ...optionCases('deadLetters', (filter) => backendOf().deadLetters(filter), {
    collection: ['undefined', 'text'],
    code: ['undefined', 'text'],
  }),
  ...Object.fromEntries(
    (['entry', 'retry', 'discard', 'cancel', 'conflictOf'] as const).map((name) => [
      `${name}(x)`,
      { call: (x: Hostile) => backendOf()[name](x), accepts: ['empty text', 'text'], names: 'id' },
    ]),
  ),
  'reprioritise(x, priority)': {
    call: (x) => backendOf().reprioritise(x, 'low'),
    accepts: ['empty text', 'text'],
    names: 'id',
  },
  'reprioritise(id, x)': { call: (x) => backendOf().reprioritise('e1', x), names: 'priority' },
  'resolveConflict(id, x)': {
    call: (x) => backendOf().resolveConflict('e1', x),
    names: 'resolution',
  },
  'signIn(x)': { call: (x) => backendOf().signIn(x), accepts: ['text'], names: 'signIn' },
  ...optionCases('signOut', (options) => backendOf().signOut(options), {
    pending: UNDEFINED,
    timeout: LENGTHS,
  }),
  'new PrioritySyncQueue(x)': { call: (x) => new PrioritySyncQueue(x) },
  ...optionCases(
    'PrioritySyncQueue',
    (options) =>
      new PrioritySyncQueue({ storage: memoryStorage(), ...options } as Hostile).length(),
    { storage: [], name: ['undefined', 'text'], lease: LENGTHS, limits: EMPTY },
  ),
  'enqueue(x)': { call: (x) => queueOf().enqueue(x), accepts: PLAIN },
  'enqueue(item, x)': {
    call: (x) => queueOf().enqueue(1, x),
    accepts: UNDEFINED,
    names: 'priority',
  },
  ...optionCases('claim', async (options) => (await claimed())[0].claim(options), {
    limit: UNDEFINED,
    lease: LENGTHS,
    leaseMs: LENGTHS,
  }),
  'complete(x)': { call: (x) => queueOf().complete(x), names: 'claim' },
  'complete(claim, x)': {
    call: async (x) => {
      const [queue, claim] = await claimed();
      await queue.complete(claim, x);
    },
    accepts: ['undefined', 'empty list'],
  },
  ...optionCases(
    'release',
    async (options) => {
      const [queue, claim] = await claimed();
      await queue.release(claim, options);
    },
    { delay: LENGTHS },
  ),
  'bury(claim, x)': {
    call: async (x) => {
      const [queue, claim] = await claimed();
      await queue.bury(claim, x);
    },
    accepts: ['empty text', 'text'],
    names: 'reason',
  },
  'queue.retry(x)': {
    call: (x) => queueOf().retry(x),
    accepts: ['empty text', 'text'],
    names: 'id',
  },
  'queue.discard(x)': {
    call: (x) => queueOf().discard(x),
    accepts: ['empty text', 'text'],
    names: 'id',
  },
  'new BackgroundSyncConfig(x)': {
    call: (x) => new BackgroundSyncConfig(x),
    accepts: [...EMPTY, 'empty list'],
  },
  ...optionCases('BackgroundSyncConfig', (options) => new BackgroundSyncConfig(options), {
    enabled: FLAGS,
    minInterval: ['undefined', 'null', 'fraction'],
    requiresNetwork: FLAGS,
    networkType: ['undefined', 'null'],
    requiresCharging: FLAGS,
    requiresBatteryNotLow: FLAGS,
    budget: ['undefined', 'null', 'huge'],
    criticalPerHour: ['undefined', 'null', 'zero', 'huge'],
  }),
  'defineBackgroundSync(x)': { call: (x) => defineBackgroundSync(x) },
  ...optionCases(
    'defineBackgroundSync',
    (options) =>
      defineBackgroundSync({ open: async () => backendOf(), providers: [], ...options } as Hostile)
        .ready,
    {
      open: [],
      setBadge: FUNCTIONS,
      id: ['undefined', 'text'],
    },
  ),
  'defineBackgroundSync { open: gives x }': {
    call: (x) => defineBackgroundSync({ open: () => x, providers: [] }).ready,
  },
  'BackgroundSyncServiceFactory.create(x)': {
    call: (x) => BackgroundSyncServiceFactory.create(x),
    accepts: ['undefined', 'empty list'],
  },
  'BackgroundSyncService.initialize(x)': { call: (x) => BackgroundSyncService.initialize(x) },
  'BackgroundSyncService.initialize { store: x }': {
    call: (x) => BackgroundSyncService.initialize({ store: x }),
    names: 'store',
  },
  'BackgroundSyncService.initialize { store: { backend: x } }': {
    call: (x) => BackgroundSyncService.initialize({ store: { backend: x } }),
    names: 'store',
  },
  'BackgroundSyncService.initialize { store, x }': {
    call: (x) => BackgroundSyncService.initialize({ store: storeOf(), stroe: x } as Hostile),
    names: 'stroe',
  },
  'registerBackgroundSyncProvider(x)': { call: (x) => registerBackgroundSyncProvider(x) },
  'createStandardRuntime(x)': { call: (x) => createStandardRuntime(x), accepts: EMPTY },
  'memoryStorage(x)': { call: (x) => memoryStorage(x), accepts: EMPTY },
  ...optionCases('memoryStorage', (options) => memoryStorage(options), { database: UNDEFINED }),
  'sqliteStorage(x)': { call: (x) => sqliteStorage(x) },
  ...optionCases(
    'sqliteStorage',
    (options) => sqliteStorage({ path: 'x', ...options } as Hostile),
    {
      path: ['text'],
      durability: UNDEFINED,
      client: UNDEFINED,
      busyTimeout: LENGTHS,
    },
  ),
  'indexedDbStorage(x)': { call: (x) => indexedDbStorage(x as Hostile) },
  ...optionCases(
    'indexedDbStorage',
    (options) => indexedDbStorage({ name: 'x', ...options } as Hostile),
    {
      name: ['text'],
      durability: UNDEFINED,
      blockedTimeout: LENGTHS,
      persist: FLAGS,
    },
  ),
  'betterSqlite3Client(x)': { call: (x) => betterSqlite3Client(x), accepts: ['function'] },
  'httpRemote(x)': { call: (x) => httpRemote(x) },
  ...optionCases(
    'httpRemote',
    (options) => httpRemote({ url: 'http://a', ...options } as Hostile),
    {
      url: [],
      headers: [...EMPTY, 'function'],
      refreshCredentials: FUNCTIONS,
      classify: FUNCTIONS,
      maxBatch: UNDEFINED,
      pull: FLAGS,
      events: FLAGS,
      paths: EMPTY,
      credentials: UNDEFINED,
      onSyncInterval: FUNCTIONS,
      fetch: FUNCTIONS,
    },
  ),
  'answerClass(x)': {
    call: (x) => answerClass(x, null),
    accepts: ['zero', 'negative', 'fraction', 'huge'],
  },
  'classify(x)': { call: (x) => classify(x, 'update') },
  'new NodeSyncService(x)': { call: (x) => new NodeSyncService(x) },
  ...optionCases(
    'NodeSyncService',
    (options) => new NodeSyncService({ backend: backendOf(), ...options } as Hostile),
    {
      backend: [],
      runtime: UNDEFINED,
      scheduler: UNDEFINED,
      deviceState: UNDEFINED,
      path: ['undefined', 'text'],
      systemInformation: UNDEFINED,
      drainOnExit: FLAGS,
      grace: LENGTHS,
      id: ['undefined', 'text'],
      onPendingCount: FUNCTIONS,
    },
  ),
  'nodeBackgroundSync(x)': { call: (x) => nodeBackgroundSync(x), accepts: EMPTY },
  'nodeScheduler(x)': { call: (x) => nodeScheduler(x), accepts: EMPTY },
  ...optionCases('nodeScheduler', nodeScheduler, {
    runtime: UNDEFINED,
    deviceState: UNDEFINED,
    maxRun: ['undefined', 'fraction', 'huge'],
    tick: ['undefined', 'fraction', 'huge'],
    uptimeMs: FUNCTIONS,
  }),
  'nodeDeviceState(x)': { call: (x) => nodeDeviceState(x), accepts: EMPTY },
  ...optionCases('nodeDeviceState', nodeDeviceState, {
    runtime: UNDEFINED,
    systemInformation: UNDEFINED,
    path: ['undefined', 'text'],
    poll: ['undefined', 'fraction', 'huge'],
    appState: UNDEFINED,
  }),
  'electronDeviceState(x)': { call: (x) => electronDeviceState(x) },
  'drainBeforeQuit(x)': { call: (x) => drainBeforeQuit(x, { drain: async () => null }) },
  'drainBeforeQuit(app, service, x)': {
    call: (x) => {
      const app = { on: () => {}, removeListener: () => {}, quit: () => {} };
      drainBeforeQuit(app, { drain: async () => null }, x);
    },
    accepts: EMPTY,
  },
};

function writeOptionCases(
  where: string,
  call: (options: Hostile) => unknown,
): Record<string, HostileCase> {
  const accepts = where === 'deleteAll' ? [...UNDEFINED] : UNDEFINED;
  return {
    [`${where} options x`]: { call, accepts: EMPTY },
    ...optionCases(where, call, {
      priority: accepts,
      policy: accepts,
      ttl: LENGTHS,
      after: ['undefined', 'empty list'],
    }),
  };
}

describe('a hostile argument', () => {
  // What could not be set up is told on the console too.
  beforeAll(() => void vi.spyOn(console, 'error').mockImplementation(() => {}));
  afterAll(() => void vi.restoreAllMocks());

  test.each(Object.entries(CASES))(
    'of %s is refused by code, or harmless',
    async (_name, subject) => {
      expect(await faultsOf(subject)).toEqual([]);
    },
  );
});

test('a write that was refused leaves neither row nor entry, nor the good ones beside it', async () => {
  const store = await withOne();
  const good = { id: 'b' };
  const writes: Record<string, (x: Hostile) => unknown> = {
    save: (x) => store.save({ id: 'b', value: x }),
    'save options': (x) => store.save(good, { after: x }),
    saveAll: (x) => store.saveAll([good, x]),
    patch: (x) => store.patch('a', { y: x }, { ttl: 'soon' as Hostile }),
    command: (x) => store.command('b', 'increment', x, { policy: 'never' as Hostile }),
    deleteAll: (x) => store.deleteAll({ where: x }, { priority: 'urgent' as Hostile }),
    transaction: (x) =>
      store.backend.transaction(async (tx) => {
        await tx.store(store).save(good);
        await tx.store(store).save(x);
      }),
  };
  const refused: string[] = [];
  const hostile = ['symbol', 'function', 'list of undefined', 'null'];

  for (const [name, write] of Object.entries(writes)) {
    for (const label of hostile) {
      const error = await errorOf(() => write(HOSTILE[label]));
      if (isNexusError(error)) refused.push(`${name} ${label}`);
      // What can be stored is stored, and taken away again.
      else await store.delete('b');
    }
  }

  // A null, or a list of nothing, is a value.
  expect(refused).toHaveLength(Object.keys(writes).length * hostile.length - 2);
  expect(await store.getAll()).toEqual([{ id: 'a', x: 1 }]);
  expect(await store.pendingChanges()).toHaveLength(1);
});

test.each([
  ['sqliteStorage', (path: string) => sqliteStorage({ path })],
  ['NodeSyncService', (path: string) => new NodeSyncService({ backend: backendOf(), path })],
  ['nodeBackgroundSync', (path: string) => nodeBackgroundSync({ path })],
  ['nodeDeviceState', (path: string) => nodeDeviceState({ path })],
])('a path with a zero character is refused by %s', async (_name, call) => {
  expect(await errorOf(() => call('a\0b'))).toMatchObject({
    code: 'usage/invalid-argument',
    message: expect.stringContaining('path') as string,
  });
});
