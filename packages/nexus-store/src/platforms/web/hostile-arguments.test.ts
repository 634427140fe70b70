import { describe, expect, test } from 'vitest';
import { StoreBackend } from '../../core/store/store-backend.ts';
import { memoryStorage } from '../../storage/memory/index.ts';
import {
  EMPTY,
  faultsOf,
  FLAGS,
  FUNCTIONS,
  optionCases,
  UNDEFINED,
  type HostileCase,
} from '../../testing/hostile-arguments.ts';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';
import { FakeOrigin } from './fakes/fake-origin.ts';
import { ServiceWorkerSyncService } from './service-worker-sync-service.ts';
import { webBackgroundSync } from './web-background-sync.ts';
import { serveBackgroundSync } from './worker/serve-background-sync.ts';

const runtime = createVirtualRuntime(1);
const backendOf = (): StoreBackend => new StoreBackend(runtime, { storage: memoryStorage() });
const pageOf = (options: object): Promise<void> => {
  const { browser } = new FakeOrigin(runtime).openTab();
  return new ServiceWorkerSyncService({ runtime, ...options }, browser).dispose();
};
const workerOf = (options: object): ReturnType<typeof serveBackgroundSync> => {
  const { asScope, browser } = new FakeOrigin(runtime).worker();
  return serveBackgroundSync({ open: backendOf, ...options }, asScope, browser);
};

const CASES: Readonly<Record<string, HostileCase>> = {
  'new ServiceWorkerSyncService(x)': { call: (x) => new ServiceWorkerSyncService(x) },
  ...optionCases('ServiceWorkerSyncService', pageOf, {
    backend: UNDEFINED,
    runtime: [],
    id: ['undefined', 'text'],
    name: ['undefined', 'text'],
    badge: FLAGS,
    onPendingCount: FUNCTIONS,
    platformRuns: FUNCTIONS,
  }),
  'webBackgroundSync(x)': { call: (x) => webBackgroundSync(x), accepts: EMPTY },
  ...optionCases('webBackgroundSync', webBackgroundSync, {
    name: ['undefined', 'text'],
    badge: FLAGS,
    platformRuns: FUNCTIONS,
  }),
  'serveBackgroundSync(x)': { call: (x) => serveBackgroundSync(x) },
  ...optionCases('serveBackgroundSync', workerOf, {
    open: ['function'],
    id: ['undefined', 'text'],
    name: ['undefined', 'text'],
    tasks: ['undefined', 'empty list', 'list of undefined', 'list of null', 'list of a number'],
    badge: FLAGS,
  }),
  'serveBackgroundSync { open: gives x }': { call: (x) => workerOf({ open: () => x }).ready() },
  'serveBackgroundSync { tasks: [x] }': { call: (x) => workerOf({ tasks: [x] }).ready() },
};

describe('a hostile argument', () => {
  test.each(Object.entries(CASES))(
    'of %s is refused by code, or harmless',
    async (_name, subject) => {
      expect(await faultsOf(subject)).toEqual([]);
    },
  );
});
