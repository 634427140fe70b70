import { describe, expect, test } from 'vitest';
import { UNKNOWN_DEVICE, type DeviceFacts } from '../ports/device-state.ts';
import type { RunResult, WakeUp } from '../ports/platform-scheduler.ts';
import { testPlatformScheduler } from '../../testing/scheduler-suite.ts';
import { createVirtualRuntime, type VirtualRuntime } from '../../testing/virtual-runtime.ts';
import type { TellingDeviceState } from './telling-device-state.ts';
import { TimerScheduler, type TimerSchedulerOptions } from './timer-scheduler.ts';

/** A device whose facts a test sets. */
class FakeDevice implements TellingDeviceState {
  readonly tells: readonly (keyof DeviceFacts)[];
  facts: DeviceFacts;
  reads = 0;
  readonly listeners = new Set<() => void>();

  constructor(facts: Partial<DeviceFacts>) {
    this.facts = { ...UNKNOWN_DEVICE, ...facts };
    this.tells = Object.keys(facts) as (keyof DeviceFacts)[];
  }

  async read(): Promise<DeviceFacts> {
    this.reads += 1;
    return this.facts;
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  set(change: Partial<DeviceFacts>): void {
    this.facts = { ...this.facts, ...change };
    for (const listener of this.listeners) listener();
  }
}

const EVERYTHING = {
  isConnected: true,
  isMetered: false,
  isRoaming: false,
  isCharging: true,
  isBatteryLow: false,
  isStorageLow: false,
  isDeviceIdle: true,
} as const;

const FACTS = {
  requiresCharging: (isMet: boolean) => ({ isCharging: isMet }),
  requiresBatteryNotLow: (isMet: boolean) => ({ isBatteryLow: !isMet }),
  requiresStorageNotLow: (isMet: boolean) => ({ isStorageLow: !isMet }),
  requiresDeviceIdle: (isMet: boolean) => ({ isDeviceIdle: isMet }),
};

const NETWORKS = {
  none: { isConnected: false },
  metered: { isConnected: true, isMetered: true, isRoaming: false },
  unmetered: { isConnected: true, isMetered: false, isRoaming: false },
  roaming: { isConnected: true, isMetered: true, isRoaming: true },
};

for (const [name, facts] of [
  ['timers on a device that tells everything', EVERYTHING],
  ['timers on a device that tells of its network only', { isConnected: true }],
  ['timers on a device that tells nothing', {}],
] as const) {
  testPlatformScheduler(
    name,
    async () => {
      const runtime = createVirtualRuntime(1);
      const device = new FakeDevice(facts);
      let process = runtime.createProcess();
      let scheduler = new TimerScheduler(process, { deviceState: device });
      return {
        scheduler,
        patienceMs: 60_000,
        now: () => runtime.clock.now(),
        advance: (ms) => runtime.advance(ms),
        setMet: async (constraint, isMet) => device.set(FACTS[constraint](isMet)),
        setNetwork: async (network) => device.set(NETWORKS[network]),
        restart: async () => {
          process.kill();
          process = runtime.createProcess();
          scheduler = new TimerScheduler(process, { deviceState: device });
          return scheduler;
        },
        close: async () => {
          scheduler.dispose();
          await runtime.settle();
          expect(runtime.pendingTimers).toBe(0);
        },
      };
    },
    { describe, test, expect },
  );
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const TICK_MS = 15_000;

/** What the machine is: two clocks of the process, and one that counts its sleep. */
class Machine {
  readonly runtime: VirtualRuntime = createVirtualRuntime(1);
  readonly scheduler: TimerScheduler;
  readonly wakeUps: WakeUp[] = [];
  readonly beganAt: number[] = [];
  #sleptMs = 0;
  readonly #startedAt = this.runtime.clock.now();

  constructor(options: TimerSchedulerOptions = {}, answer?: (index: number) => RunResult) {
    const { clock } = this.runtime;
    this.scheduler = new TimerScheduler(this.runtime, {
      uptimeMs: () => clock.elapsed() + this.#sleptMs,
      ...options,
    });
    this.scheduler.onWakeUp((wakeUp) => {
      this.beganAt.push(Math.round(clock.now() - this.#startedAt));
      this.wakeUps.push(wakeUp);
      if (answer !== undefined) wakeUp.complete(answer(this.wakeUps.length - 1));
    });
  }

  get now(): number {
    return this.runtime.clock.now();
  }

  /** The lid is closed: the clock goes on, the process and its monotonic clock do not. */
  sleep(ms: number): void {
    this.#sleptMs += ms;
    this.runtime.jumpWallClock(ms);
  }

  async advance(ms: number): Promise<void> {
    await this.runtime.advance(ms);
  }
}

describe('sleep and clocks that are set', () => {
  test('what fell due while the machine slept runs within a tick of its waking', async () => {
    const machine = new Machine({}, () => 'success');
    await machine.scheduler.schedule({
      id: 'a',
      kind: 'once',
      earliestBeginAt: machine.now + HOUR_MS,
    });
    await machine.advance(60_000);

    machine.sleep(8 * HOUR_MS);
    await machine.advance(TICK_MS);

    expect(machine.wakeUps).toHaveLength(1);
  });

  test('sleep shorter than the wait brings the begin forward by as much', async () => {
    const machine = new Machine({}, () => 'success');
    const earliestBeginAt = machine.now + 2 * HOUR_MS;
    await machine.scheduler.schedule({ id: 'a', kind: 'once', earliestBeginAt });

    machine.sleep(HOUR_MS);
    await machine.advance(HOUR_MS - 1);
    const early = machine.wakeUps.length;
    await machine.advance(TICK_MS);

    expect([early, machine.wakeUps.length]).toEqual([0, 1]);
  });

  test.each([HOUR_MS, 10 * 365 * DAY_MS])(
    'a clock set forward by %d ms makes nothing run early',
    async (stepMs) => {
      const machine = new Machine({}, () => 'success');
      await machine.scheduler.schedule({
        id: 'a',
        kind: 'once',
        earliestBeginAt: machine.now + HOUR_MS,
      });
      await machine.advance(60_000);

      machine.runtime.jumpWallClock(stepMs);
      await machine.advance(59 * 60_000 - TICK_MS - 1);
      const early = machine.wakeUps.length;
      await machine.advance(2 * TICK_MS);

      expect([early, machine.wakeUps.length]).toEqual([0, 1]);
    },
  );

  test.each([HOUR_MS, 10 * 365 * DAY_MS])(
    'a clock set back by %d ms makes nothing wait longer',
    async (stepMs) => {
      const machine = new Machine({}, () => 'success');
      await machine.scheduler.schedule({
        id: 'a',
        kind: 'once',
        earliestBeginAt: machine.now + HOUR_MS,
      });
      await machine.scheduler.schedule({ id: 'b', kind: 'periodic', intervalMs: HOUR_MS });
      await machine.advance(60_000);

      machine.runtime.jumpWallClock(-stepMs);
      await machine.advance(59 * 60_000 + TICK_MS);

      expect(machine.wakeUps.map(({ id }) => id)).toEqual(['b', 'a', 'b']);
    },
  );

  test('a backoff is as long as it was, whatever the clock is set to meanwhile', async () => {
    const machine = new Machine({}, () => 'retry');
    const backoff = { policy: 'linear', initialMs: 600_000 } as const;
    await machine.scheduler.schedule({ id: 'a', kind: 'once', backoff });

    await machine.advance(60_000);
    machine.runtime.jumpWallClock(5 * HOUR_MS);
    await machine.advance(530_000);
    const early = machine.wakeUps.length;
    await machine.advance(30_000);

    expect([early, machine.wakeUps.length]).toEqual([1, 2]);
  });

  test('a request made just after the clock was set is not moved by that', async () => {
    const machine = new Machine({}, () => 'success');
    await machine.scheduler.schedule({ id: 'a', kind: 'periodic', intervalMs: HOUR_MS });
    machine.runtime.jumpWallClock(3 * HOUR_MS);

    const earliestBeginAt = machine.now + 60_000;
    await machine.scheduler.schedule({ id: 'b', kind: 'once', earliestBeginAt });
    await machine.advance(60_000);

    expect(machine.wakeUps.map(({ id }) => id)).toEqual(['a', 'b']);
  });

  test('many jumps both ways while a period lasts neither lose nor double a run', async () => {
    const machine = new Machine({}, () => 'success');
    await machine.scheduler.schedule({ id: 'a', kind: 'periodic', intervalMs: HOUR_MS });

    for (let jump = 0; jump < 240; jump += 1) {
      machine.runtime.jumpWallClock((jump % 2 === 0 ? 1 : -1) * (jump + 3) * 60_000);
      await machine.advance(180_000);
    }

    expect(machine.wakeUps.length).toBeGreaterThanOrEqual(12);
    expect(machine.wakeUps.length).toBeLessThanOrEqual(13);
  });

  test('a wait longer than a timer can hold ends when it should', async () => {
    const machine = new Machine({ tick: '30d' }, () => 'success');
    const earliestBeginAt = machine.now + 60 * DAY_MS;
    await machine.scheduler.schedule({ id: 'a', kind: 'once', earliestBeginAt });

    await machine.advance(60 * DAY_MS - 1);
    const early = machine.wakeUps.length;
    await machine.advance(2);

    expect([early, machine.wakeUps.length]).toEqual([0, 1]);
  });
});

describe('when a run begins', () => {
  test('the flex of a period lies at its end', async () => {
    const machine = new Machine({}, () => 'success');
    const request = {
      id: 'a',
      kind: 'periodic',
      intervalMs: HOUR_MS,
      flexMs: 15 * 60_000,
    } as const;
    await machine.scheduler.schedule(request);

    await machine.advance(2 * HOUR_MS);

    expect(machine.beganAt).toEqual([45 * 60_000, 105 * 60_000]);
  });

  test('an exponential backoff doubles, up to five hours', async () => {
    const machine = new Machine({}, () => 'retry');
    const backoff = { policy: 'exponential', initialMs: 30_000 } as const;
    await machine.scheduler.schedule({ id: 'a', kind: 'once', backoff });

    await machine.advance(3 * DAY_MS);

    const gaps = machine.beganAt.slice(1).map((at, index) => at - (machine.beganAt[index] ?? 0));
    expect(gaps.slice(0, 5)).toEqual([30_000, 60_000, 120_000, 240_000, 480_000]);
    expect(Math.max(...gaps)).toBe(5 * HOUR_MS);
    expect(machine.wakeUps.map(({ attempt }) => attempt).slice(0, 3)).toEqual([1, 2, 3]);
  });

  test('an update of periodic work keeps its place in time', async () => {
    const machine = new Machine({}, () => 'success');
    await machine.scheduler.schedule({ id: 'a', kind: 'periodic', intervalMs: HOUR_MS });

    for (let minute = 0; minute < 179; minute += 1) {
      await machine.scheduler.schedule({ id: 'a', kind: 'periodic', intervalMs: HOUR_MS });
      await machine.advance(60_000);
    }

    expect(machine.beganAt).toEqual([0, HOUR_MS, 2 * HOUR_MS]);
  });

  test('periodic work that is asked for again and again, each time for later, runs all the same', async () => {
    const machine = new Machine({}, () => 'success');

    for (let minute = 0; minute < 150; minute += 1) {
      await machine.scheduler.schedule({
        id: 'a',
        kind: 'periodic',
        intervalMs: HOUR_MS,
        earliestBeginAt: machine.now + 45 * 60_000,
      });
      await machine.advance(60_000);
    }

    expect(machine.beganAt).toEqual([45 * 60_000, 105 * 60_000]);
  });

  test('an update during a periodic run does not make it run again at once', async () => {
    const machine = new Machine();
    await machine.scheduler.schedule({ id: 'a', kind: 'periodic', intervalMs: HOUR_MS });
    await machine.scheduler.schedule({ id: 'a', kind: 'periodic', intervalMs: 2 * HOUR_MS });
    machine.wakeUps[0]?.complete('success');

    await machine.advance(HOUR_MS + 60_000);

    expect(machine.wakeUps).toHaveLength(1);
  });

  test('a handler that throws counts as a run to be tried again', async () => {
    const runtime = createVirtualRuntime(1);
    const scheduler = new TimerScheduler(runtime);
    let calls = 0;
    scheduler.onWakeUp((wakeUp) => {
      calls += 1;
      if (calls === 1) throw new Error('broken');
      wakeUp.complete('success');
    });
    await scheduler.schedule({ id: 'a', kind: 'once' });

    await runtime.advance(60_000);

    expect(calls).toBe(2);
    expect(await scheduler.pending()).toEqual([]);
  });
});

describe('constraints', () => {
  test('a run whose constraint is lost is told so, and comes again once it is met', async () => {
    const device = new FakeDevice(EVERYTHING);
    const machine = new Machine({ deviceState: device });
    const constraints = { requiresCharging: true };
    await machine.scheduler.schedule({ id: 'a', kind: 'once', constraints });
    await machine.advance(1);
    const [run] = machine.wakeUps;

    device.set({ isCharging: false });
    await machine.advance(500);
    const reason: unknown = run?.signal.reason;
    run?.complete('retry');
    await machine.advance(10 * 60_000);
    const whileUnmet = machine.wakeUps.length;
    const pending = await machine.scheduler.pending();
    device.set({ isCharging: true });
    await machine.advance(1);

    expect([reason, whileUnmet, machine.wakeUps.length]).toEqual(['constraint', 1, 2]);
    expect(pending).toMatchObject([{ id: 'a', state: 'blocked', attempt: 2 }]);
  });

  test('a run that ignores that its constraint is lost is ended for it', async () => {
    const device = new FakeDevice(EVERYTHING);
    const machine = new Machine({ deviceState: device });
    const constraints = { requiresCharging: true };
    await machine.scheduler.schedule({ id: 'a', kind: 'once', constraints });
    await machine.advance(1);

    device.set({ isCharging: false });
    await machine.advance(2_000);
    machine.wakeUps[0]?.complete('success');

    expect(await machine.scheduler.pending()).toMatchObject([{ id: 'a', attempt: 2 }]);
  });

  test('a network that is said to be missing for long is tried all the same', async () => {
    const device = new FakeDevice({ isConnected: false });
    const machine = new Machine({ deviceState: device }, () => 'success');
    const constraints = { networkType: 'connected' } as const;
    await machine.scheduler.schedule({ id: 'a', kind: 'once', constraints });

    await machine.advance(14 * 60_000);
    const early = machine.wakeUps.length;
    await machine.advance(2 * 60_000);

    expect([early, machine.wakeUps.length]).toEqual([0, 1]);
  });

  test('a device that cannot be asked holds nothing back', async () => {
    const silent = { read: () => new Promise<never>(() => {}), onChange: () => () => {} };
    const broken = { read: () => Promise.reject(new Error('broken')), onChange: () => () => {} };
    for (const deviceState of [silent, broken]) {
      const machine = new Machine({ deviceState }, () => 'success');
      await machine.scheduler.schedule({
        id: 'a',
        kind: 'once',
        constraints: { requiresCharging: true },
      });

      await machine.advance(10_000);

      expect(machine.wakeUps).toHaveLength(1);
    }
  });

  test('nobody listens to the device while nothing is scheduled', async () => {
    const device = new FakeDevice(EVERYTHING);
    const machine = new Machine({ deviceState: device }, () => 'success');

    await machine.scheduler.schedule({ id: 'a', kind: 'once', earliestBeginAt: machine.now + 10 });
    const during = device.listeners.size;
    await machine.advance(10);

    expect([during, device.listeners.size, machine.runtime.pendingTimers]).toEqual([1, 0, 0]);
  });
});
