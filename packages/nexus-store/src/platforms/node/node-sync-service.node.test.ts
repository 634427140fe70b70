import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createBackend, NexusStore, type BackendOptions, type StoreBackend } from '../../index.ts';
import { BackgroundSyncServiceFactory } from '../../core/background/background-sync-service-factory.ts';
import { defineBackgroundSync } from '../../core/background/define-background-sync.ts';
import { registeredProviders } from '../../core/background/provider-registry.ts';
import { UNKNOWN_DEVICE } from '../../core/ports/device-state.ts';
import { sqliteStorage } from '../../storage/sqlite/index.ts';
import { memoryRemote, type MemoryRemote } from '../../testing/memory-remote.ts';
import { nodeBackgroundSync, NodeSyncService, type NodeSyncServiceOptions } from './index.ts';

interface Note {
  readonly id: string;
  readonly text: string;
}

let folder: string;
let path: string;
let backends: StoreBackend[];
let services: { dispose(): Promise<void> }[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nexus-node-'));
  path = join(folder, 'store.db');
  backends = [];
  services = [];
});

afterEach(async () => {
  for (const service of services) await service.dispose();
  for (const backend of backends) await backend.close();
  rmSync(folder, { recursive: true });
});

/** One context on the file: what another process would have. */
function context(options: Partial<BackendOptions> = {}): {
  readonly backend: StoreBackend;
  readonly notes: NexusStore<Note>;
} {
  const backend = createBackend({ storage: sqliteStorage({ path }), ...options });
  backends.push(backend);
  return { backend, notes: new NexusStore<Note>({ backend, collection: 'notes' }) };
}

async function serviceFor(
  backend: StoreBackend,
  options: Partial<NodeSyncServiceOptions> = {},
): Promise<NodeSyncService> {
  const service = new NodeSyncService({ backend, ...options });
  services.push(service);
  await service.initialize();
  return service;
}

async function until(isReached: () => boolean, what: string): Promise<void> {
  const endsAt = performance.now() + 5_000;
  while (!isReached()) {
    if (performance.now() > endsAt) throw new Error(`not reached: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const applied = (remote: MemoryRemote): number => remote.server.applied.length;

describe('writes of another process', () => {
  test.each([
    ['with the path of the file', true],
    ['without it', false],
  ])('are sent soon if they are critical, %s', async (_, hasPath) => {
    const remote = memoryRemote({ pull: false });
    const drainer = context({ remote });
    await serviceFor(drainer.backend, hasPath ? { path } : {});
    const writer = context({ autoSync: false });
    await writer.notes.save({ id: '0', text: 'warm up' }, { priority: 'critical' });
    await until(() => applied(remote) === 1, 'the first write on the server');
    const delays: number[] = [];

    for (let count = 1; count <= 5; count += 1) {
      const startedAt = performance.now();
      await writer.notes.save({ id: String(count), text: 'now' }, { priority: 'critical' });
      await until(() => applied(remote) === count + 1, 'the write on the server');
      delays.push(performance.now() - startedAt);
    }

    if (process.env['NEXUS_SHOW'] !== undefined) console.log('critical, ms:', delays);
    const median = delays.toSorted((a, b) => a - b)[2] as number;
    expect(median).toBeLessThan(hasPath ? 250 : 1_500);
  });

  test('reach the watchers of this one', async () => {
    const reader = context();
    await serviceFor(reader.backend);
    const seen: (string | undefined)[] = [];
    reader.notes.watch('a').subscribe((note) => seen.push(note?.text));
    const writer = context({ autoSync: false });

    await writer.notes.save({ id: 'a', text: 'from elsewhere' });
    await until(() => seen.at(-1) === 'from elsewhere', 'the value');

    expect(seen.at(-1)).toBe('from elsewhere');
  });

  test('two that share a file and have nothing to do leave it alone', async () => {
    const remote = memoryRemote({ pull: false });
    const [first, second] = [context({ remote }), context({ remote })];
    await serviceFor(first.backend, { path });
    await serviceFor(second.backend, { path });
    for (let id = 0; id < 20; id += 1)
      await first.notes.save({ id: String(id), text: 'x' }, { priority: 'critical' });
    await until(() => applied(remote) === 20, 'everything on the server');
    await new Promise((resolve) => setTimeout(resolve, 2_000));

    const observer = context({ autoSync: false });
    await observer.backend.open();
    const before = await observer.backend.foreignCommits();
    await new Promise((resolve) => setTimeout(resolve, 1_000));

    expect(await observer.backend.foreignCommits()).toBe(before);
    expect(applied(remote)).toBe(20);
    expect(remote.server.replayCount).toBe(0);
  });
});

describe('draining', () => {
  test('sends what waits within the grace, and says so', async () => {
    const remote = memoryRemote({ pull: false });
    const { backend, notes } = context({ remote, autoSync: false });
    const service = await serviceFor(backend, { drainOnExit: false });
    for (let id = 0; id < 10; id += 1) await notes.save({ id: String(id), text: 'x' });

    const report = await service.drain({ grace: '2s' });

    expect(report).toMatchObject({ pushed: 10, remaining: 0 });
    expect(await service.drain()).toBe(null);
  });

  test('a server that does not answer holds it up no longer than the grace', async () => {
    const remote = memoryRemote({ pull: false });
    remote.answerWith(() => 'hang');
    const { backend, notes } = context({ remote, autoSync: false });
    const service = await serviceFor(backend, { drainOnExit: false });
    await notes.save({ id: 'a', text: 'x' });
    const startedAt = performance.now();

    const report = await service.drain({ grace: '400ms' });

    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(report).toMatchObject({ pushed: 0, remaining: 1 });
  });
});

describe('the network', () => {
  test('that is back makes what failed go at once', async () => {
    const remote = memoryRemote({ pull: false });
    remote.answerWith(() => 'refuse-connection');
    const listeners = new Set<() => void>();
    const deviceState = {
      read: async () => UNKNOWN_DEVICE,
      onChange: (listener: () => void) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    };
    const { backend, notes } = context({ remote, backoff: { initial: '10m', cap: '10m' } });
    await serviceFor(backend, { deviceState });
    await notes.save({ id: 'a', text: 'x' }, { priority: 'critical' });
    await until(() => backend.status.current.blockedBy?.reason === 'offline', 'offline');

    remote.answerWith(undefined);
    for (const listener of [...listeners]) listener();
    await until(() => backend.status.current.pending.critical === 0, 'the write on the server');

    expect(applied(remote)).toBe(1);
  });
});

describe('the provider', () => {
  test('is registered by the import, and detects Node', () => {
    const provider = registeredProviders().find(({ name }) => name === 'node');

    expect(provider?.detect()).toBe(true);
  });

  test('makes the service that the factory and defineBackgroundSync give', async () => {
    const { backend } = context({ remote: memoryRemote() });
    const { runtime } = backend;
    const made = BackgroundSyncServiceFactory.create(runtime, registeredProviders(), { backend });
    const background = defineBackgroundSync(runtime, {
      open: () => backend,
      providers: [nodeBackgroundSync({ path, drainOnExit: false })],
      config: { minInterval: '1h' },
    });

    const service = await background.ready;
    services.push(service, made);

    expect(made).toBeInstanceOf(NodeSyncService);
    expect(service).toBeInstanceOf(NodeSyncService);
    expect(background.isSupported).toBe(true);
    expect(service.status).toBe('scheduled');
    expect(await background.scheduleSync()).toMatchObject({ ok: true, refused: [] });
  });

  test('an option that is wrong is named', () => {
    const { backend } = context();

    expect(() => new NodeSyncService({ backend, grace: 'soon' as never })).toThrow(/grace/);
    expect(() => new NodeSyncService({})).toThrow(/needs a backend/);
  });
});
