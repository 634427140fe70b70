import { EventEmitter } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UNKNOWN_DEVICE } from '../../core/ports/device-state.ts';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';
import { drainBeforeQuit } from './drain-before-quit.ts';
import { ElectronDeviceState } from './electron-device-state.ts';
import { nodeDeviceState, nodeScheduler } from './index.ts';
import { NodeDeviceState, nodeSources } from './node-device-state.ts';
import { powerFromKernel, powerFromSystemInformation } from './power.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nexus-power-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

function supply(name: string, fields: Readonly<Record<string, string>>): void {
  mkdirSync(join(folder, name));
  for (const [field, value] of Object.entries(fields))
    writeFileSync(join(folder, name, field), `${value}\n`);
}

describe('power as the Linux kernel tells it', () => {
  test('a laptop on its battery is not charging, and low when it is nearly empty', async () => {
    supply('AC', { type: 'Mains', online: '0' });
    supply('BAT0', { type: 'Battery', status: 'Discharging', capacity: '12' });

    expect(await powerFromKernel(folder)).toEqual({ isCharging: false, isBatteryLow: true });
  });

  test('a laptop on its charger is charging, however empty it is', async () => {
    supply('AC', { type: 'Mains', online: '1' });
    supply('BAT0', { type: 'Battery', status: 'Charging', capacity: '3' });

    expect(await powerFromKernel(folder)).toEqual({ isCharging: true, isBatteryLow: false });
  });

  test('of two batteries the fuller one counts', async () => {
    supply('BAT0', { type: 'Battery', status: 'Discharging', capacity: '1' });
    supply('BAT1', { type: 'Battery', status: 'Unknown', capacity: '80' });

    expect(await powerFromKernel(folder)).toEqual({ isCharging: false, isBatteryLow: false });
  });

  test('the battery of a mouse says nothing of the machine', async () => {
    supply('hidpp_battery_0', {
      type: 'Battery',
      scope: 'Device',
      status: 'Discharging',
      capacity: '5',
    });

    expect(await powerFromKernel(folder)).toEqual({ isCharging: null, isBatteryLow: null });
  });

  test('a desktop is not on its battery for a USB port that feeds others', async () => {
    supply('ucsi-source-psy-USBC000:001', { type: 'USB', scope: 'System', online: '0' });

    expect(await powerFromKernel(folder)).toEqual({ isCharging: null, isBatteryLow: false });
  });

  test('a battery that does not tell how full it is leaves that unknown', async () => {
    supply('BAT0', { type: 'Battery', status: 'Discharging' });

    expect(await powerFromKernel(folder)).toEqual({ isCharging: false, isBatteryLow: null });
  });

  test('a machine that tells nothing leaves everything unknown', async () => {
    const unknown = { isCharging: null, isBatteryLow: null };
    expect(await powerFromKernel(folder)).toEqual(unknown);
    expect(await powerFromKernel(join(folder, 'none'))).toEqual(unknown);
  });
});

test.runIf(process.platform === 'linux')(
  'a machine without battery and charger names the constraints that it cannot keep',
  async () => {
    const runtime = createVirtualRuntime(1);
    const schedule = async () => {
      const deviceState = new NodeDeviceState(runtime, nodeSources(runtime, {}, folder));
      const scheduler = nodeScheduler({ runtime, deviceState });
      const result = await scheduler.schedule({
        id: 'a',
        kind: 'periodic',
        intervalMs: 60_000,
        constraints: { requiresCharging: true, requiresBatteryNotLow: true },
      });
      scheduler.dispose();
      return result.ok ? result.weakened.map(({ field }) => field) : result.code;
    };
    supply('hidpp_battery_0', { type: 'Battery', scope: 'Device', status: 'Discharging' });
    supply('ucsi-source-psy-USBC000:001', { type: 'USB', scope: 'System', online: '0' });

    expect(await schedule()).toEqual([
      'constraints.requiresCharging',
      'constraints.requiresBatteryNotLow',
    ]);
    supply('BAT0', { type: 'Battery', status: 'Discharging', capacity: '80' });
    expect(await schedule()).toEqual([]);
  },
);

describe('power as systeminformation tells it', () => {
  test.each([
    [true, false, false, 10, { isCharging: false, isBatteryLow: true }],
    [true, false, false, 60, { isCharging: false, isBatteryLow: false }],
    [true, true, true, 10, { isCharging: true, isBatteryLow: false }],
    [true, false, true, 100, { isCharging: true, isBatteryLow: false }],
    [false, false, true, 0, { isCharging: true, isBatteryLow: false }],
    [false, false, false, 0, { isCharging: null, isBatteryLow: false }],
  ])(
    'battery %s, charging %s, connected %s, %d %%',
    async (...[has, charging, ac, percent, facts]) => {
      const battery = { hasBattery: has, isCharging: charging, acConnected: ac, percent };

      expect(await powerFromSystemInformation({ battery: async () => battery })).toEqual(facts);
    },
  );
});

describe('the device state of Node', () => {
  test('without any address there is no network; an address promises nothing', async () => {
    let addresses: readonly string[] = ['192.168.1.5'];
    const runtime = createVirtualRuntime(1);
    const sources = { power: null, isStorageLow: null, addresses: () => addresses };
    const device = new NodeDeviceState(runtime, sources);

    const before = await device.read();
    addresses = [];

    const unknown = { ...UNKNOWN_DEVICE, appState: 'foreground' };
    expect(before).toEqual(unknown);
    expect(await device.read()).toEqual({ ...unknown, isConnected: false });
    expect(device.tells).toEqual(['isConnected']);
  });

  test('another network is news, and nobody looks when nobody listens', async () => {
    let addresses: readonly string[] = ['192.168.1.5'];
    const runtime = createVirtualRuntime(1);
    const sources = { power: null, isStorageLow: null, addresses: () => addresses };
    const device = new NodeDeviceState(runtime, sources);
    let news = 0;
    const stop = device.onChange(() => {
      news += 1;
    });
    await runtime.advance('1m');
    const before = news;

    addresses = ['10.0.0.7'];
    await runtime.advance('10s');
    stop();

    expect([before, news, runtime.pendingTimers]).toEqual([0, 1, 0]);
  });

  test('a source that fails leaves its facts unknown', async () => {
    const fails = (): Promise<never> => Promise.reject(new Error('no'));
    const device = new NodeDeviceState(createVirtualRuntime(1), {
      power: fails,
      isStorageLow: fails,
      addresses: () => ['::1'],
    });

    expect(await device.read()).toEqual({ ...UNKNOWN_DEVICE, appState: 'foreground' });
  });

  test('systeminformation is asked once a minute at most', async () => {
    let calls = 0;
    const runtime = createVirtualRuntime(1);
    const battery = async () => {
      calls += 1;
      return { hasBattery: true, isCharging: false, acConnected: false, percent: 5 };
    };
    const device = nodeDeviceState({ runtime, systemInformation: { battery } });
    const facts = await device.read();
    device.onChange(() => {});

    await runtime.advance('5m');

    expect(facts).toMatchObject({ isCharging: false, isBatteryLow: true });
    expect(calls).toBe(6);
  });

  test('this machine can be read', async () => {
    const facts = await nodeDeviceState({ path: folder }).read();

    expect(typeof facts.isStorageLow).toBe('boolean');
  });
});

class FakePowerMonitor extends EventEmitter {
  isOnBattery = false;
  idleState = 'active';

  isOnBatteryPower(): boolean {
    return this.isOnBattery;
  }

  getSystemIdleState(): string {
    return this.idleState;
  }
}

describe('the device state of Electron', () => {
  function fake() {
    const runtime = createVirtualRuntime(1);
    const powerMonitor = new FakePowerMonitor();
    const net = { online: true, isOnline: () => net.online };
    const device = new ElectronDeviceState(runtime, { powerMonitor, net });
    return { runtime, powerMonitor, net, device };
  }

  test('tells power, network and whether somebody is there', async () => {
    const { powerMonitor, net, device } = fake();
    const before = await device.read();
    powerMonitor.isOnBattery = true;
    powerMonitor.idleState = 'idle';
    net.online = false;

    expect(before).toEqual({
      ...UNKNOWN_DEVICE,
      isConnected: true,
      isCharging: true,
      isDeviceIdle: false,
      appState: 'foreground',
    });
    expect(await device.read()).toMatchObject({
      isConnected: false,
      isCharging: false,
      isDeviceIdle: true,
    });
    powerMonitor.idleState = 'unknown';
    expect((await device.read()).isDeviceIdle).toBe(null);
  });

  test('each event is news at once, the network after a few seconds', async () => {
    const { runtime, powerMonitor, net, device } = fake();
    const states: unknown[] = [];
    const stop = device.onChange(() => {
      void device
        .read()
        .then(({ appState, isDeviceIdle }) => states.push([appState, isDeviceIdle]));
    });
    await runtime.settle();

    for (const event of ['suspend', 'resume', 'lock-screen', 'unlock-screen']) {
      powerMonitor.emit(event);
      await runtime.settle();
    }
    powerMonitor.isOnBattery = true;
    powerMonitor.emit('on-battery');
    await runtime.settle();
    const atOnce = states.length;
    net.online = false;
    await runtime.advance('5s');
    stop();

    expect(states.slice(0, 4)).toEqual([
      ['background', false],
      ['foreground', false],
      ['foreground', true],
      ['foreground', false],
    ]);
    expect([atOnce, states.length]).toEqual([5, 6]);
    expect(powerMonitor.eventNames()).toEqual([]);
    expect(runtime.pendingTimers).toBe(0);
  });
});

describe('the end of an Electron app', () => {
  test('is held back once, until what waits was sent', async () => {
    const app = Object.assign(new EventEmitter(), { quits: 0, quit: () => void (app.quits += 1) });
    const grace: unknown[] = [];
    let finish: () => void = () => {};
    const service = {
      drain: (options: unknown) => {
        grace.push(options);
        return new Promise<null>((resolve) => {
          finish = () => resolve(null);
        });
      },
    };
    drainBeforeQuit(app, service as never, { grace: '2s' });
    let prevented = 0;
    const willQuit = (): boolean =>
      app.emit('will-quit', { preventDefault: () => (prevented += 1) });

    willQuit();
    willQuit();
    finish();
    await new Promise(setImmediate);
    willQuit();

    expect(grace).toEqual([{ grace: '2s' }]);
    expect([prevented, app.quits]).toEqual([2, 1]);
  });
});
