import { describe, expect, test } from 'vitest';
import { UNKNOWN_DEVICE } from '../../core/ports/device-state.ts';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';
import type { Browser, NavigatorLike } from './browser.ts';
import { FakeBattery, FakeConnection } from './fakes/fake-device.ts';
import { FakeEvents } from './fakes/fake-events.ts';
import { FakeOrigin } from './fakes/fake-origin.ts';
import { WebDeviceState } from './web-device-state.ts';

function pageWith(navigator: NavigatorLike, document?: Browser['document']): Browser {
  return { navigator, scope: new FakeEvents(), document, openChannel: undefined };
}

describe('the device as a browser tells of it', () => {
  test('what is not told is null, and not claimed', async () => {
    const device = new WebDeviceState(pageWith({}));

    expect(await device.read()).toEqual({ ...UNKNOWN_DEVICE, appState: 'headless' });
    expect(device.tells).toEqual(['isConnected']);
  });

  test.each([
    [{ onLine: true }, true],
    [{ onLine: false }, false],
    [{ onLine: true, connection: { type: 'none' } }, false],
    [{}, null],
  ])('with %j it is connected: %j', async (navigator, isConnected) => {
    const facts = await new WebDeviceState(pageWith(navigator)).read();

    expect(facts.isConnected).toBe(isConnected);
  });

  test.each([
    [{ type: 'cellular' }, true],
    [{ type: 'wifi' }, false],
    [{ type: 'wifi', saveData: true }, true],
    [{ type: 'bluetooth' }, null],
    [{ saveData: false }, null],
    [{ saveData: true }, true],
  ])('with the connection %j it is metered: %j', async (connection, isMetered) => {
    const facts = await new WebDeviceState(pageWith({ onLine: true, connection })).read();

    expect(facts.isMetered).toBe(isMetered);
  });

  test.each([
    [{ charging: true, level: 0.05 }, true, false],
    [{ charging: false, level: 0.15 }, false, true],
    [{ charging: false, level: 0.16 }, false, false],
  ])('with the battery %j', async (state, isCharging, isBatteryLow) => {
    const battery = Object.assign(new FakeBattery(), state);
    const facts = await new WebDeviceState(pageWith({ getBattery: async () => battery })).read();

    expect([facts.isCharging, facts.isBatteryLow]).toEqual([isCharging, isBatteryLow]);
  });

  test('a battery that is refused is one that is not told of', async () => {
    const refusing = { getBattery: () => Promise.reject(new Error('NotAllowedError')) };

    const facts = await new WebDeviceState(pageWith(refusing)).read();

    expect([facts.isCharging, facts.isBatteryLow]).toEqual([null, null]);
  });

  test.each([
    ['granted', true],
    ['prompt', true],
    ['denied', false],
  ])('with the permission %s background work is allowed: %j', async (state, isAllowed) => {
    const permissions = { query: async () => ({ state }) };

    const facts = await new WebDeviceState(pageWith({ permissions })).read();

    expect(facts.isBackgroundAllowed).toBe(isAllowed);
  });

  test('a browser that does not know the permission says nothing of background work', async () => {
    const permissions = { query: () => Promise.reject(new TypeError('not a permission')) };

    const facts = await new WebDeviceState(pageWith({ permissions })).read();

    expect(facts.isBackgroundAllowed).toBeNull();
  });

  test('it tells of every change, and listens to nothing afterwards', async () => {
    const runtime = createVirtualRuntime(1);
    const battery = new FakeBattery();
    const connection = new FakeConnection();
    const origin = new FakeOrigin(runtime, { battery, connection });
    const tab = origin.openTab();
    const device = new WebDeviceState(tab.browser);
    let changes = 0;

    const stop = device.onChange(() => (changes += 1));
    await runtime.settle();
    origin.isOnline = false;
    connection.set({ type: 'cellular' });
    battery.set({ level: 0.1 });
    tab.show(false);
    stop();
    origin.isOnline = true;

    expect(changes).toBe(4);
    const left = [tab.scope, tab.document, battery, connection].map(({ listeners }) => listeners);
    expect(left).toEqual([0, 0, 0, 0]);
    expect((await device.read()).appState).toBe('background');
  });
});
