import { describe, expect, test } from 'vitest';
import { TimerScheduler } from '../../core/background/timer-scheduler.ts';
import type { PlatformScheduler } from '../../core/ports/platform-scheduler.ts';
import { testPlatformScheduler } from '../../testing/scheduler-suite.ts';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';
import { BrowserSync } from './browser-sync.ts';
import { FakeBattery, FakeConnection, setNetwork } from './fakes/fake-device.ts';
import { FakeOrigin, type FakeContext, type FakeFeatures } from './fakes/fake-origin.ts';
import { WebDeviceState } from './web-device-state.ts';
import { WebScheduler } from './web-scheduler.ts';
import { WorkerScheduler } from './worker/worker-scheduler.ts';

interface Made {
  readonly scheduler: PlatformScheduler & { dispose(): void };
  readonly context: FakeContext;
}

function inPage(origin: FakeOrigin): Made {
  const tab = origin.openTab();
  const { process, browser } = tab;
  const device = new WebDeviceState(browser);
  const scheduler = new WebScheduler({
    clock: process.clock,
    timers: new TimerScheduler(process, { deviceState: device }),
    browser: new BrowserSync(process, browser.navigator.serviceWorker?.ready, []),
    mayBeConnected: () => device.mayBeConnected,
  });
  return { scheduler, context: tab };
}

function inWorker(origin: FakeOrigin): Made {
  const worker = origin.worker();
  const { process, browser, asScope } = worker;
  const sync = new BrowserSync(process, Promise.resolve(asScope.registration), []);
  const scheduler = new WorkerScheduler(process, new WebDeviceState(browser), sync, 'sync');
  return { scheduler, context: worker };
}

const BROWSERS = {
  'a browser that tells of battery and network': {
    battery: new FakeBattery(),
    connection: new FakeConnection(),
  },
  'a browser that tells nothing but onLine': {},
  'a browser without service workers': { serviceWorker: false },
} as const satisfies Record<string, FakeFeatures>;

for (const [where, make] of Object.entries({ page: inPage, worker: inWorker })) {
  for (const [name, features] of Object.entries(BROWSERS)) {
    testPlatformScheduler(
      `the scheduler of a ${where} in ${name}`,
      async () => {
        const runtime = createVirtualRuntime(1);
        const origin = new FakeOrigin(runtime, features);
        const { battery, connection } = features as {
          battery?: FakeBattery;
          connection?: FakeConnection;
        };
        battery?.set({ charging: true, level: 1 });
        connection?.set({ type: 'wifi', saveData: false });
        let made = make(origin);
        return {
          scheduler: made.scheduler,
          patienceMs: 60_000,
          now: () => runtime.clock.now(),
          advance: (ms) => runtime.advance(ms),
          setMet: async (constraint, isMet) => {
            if (constraint === 'requiresCharging') battery?.set({ charging: isMet });
            else battery?.set({ level: isMet ? 1 : 0.1, charging: false });
          },
          setNetwork: async (network) => setNetwork(origin, connection, network),
          restart: async () => {
            made.context.kill();
            made = make(origin);
            return made.scheduler;
          },
          close: async () => {
            made.scheduler.dispose();
            await runtime.settle();
            made.context.kill();
            expect(runtime.pendingTimers).toBe(0);
          },
        };
      },
      { describe, test, expect },
    );
  }
}
