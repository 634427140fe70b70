import { describe, expect, test } from 'vitest';
import type { NativeSyncModule } from './native-module.ts';
import { PhoneDeviceState, type BatteryLike, type NetworkLike } from './phone-device-state.ts';

const subscription = { remove: () => {} };

function native(facts: Awaited<ReturnType<NativeSyncModule['deviceFacts']>>): NativeSyncModule {
  return {
    deviceFacts: async () => facts,
    addListener: () => subscription,
  } as unknown as NativeSyncModule;
}

const battery = (level: number, state: number, lowPowerMode = false): BatteryLike => ({
  getPowerStateAsync: async () => ({ batteryLevel: level, batteryState: state, lowPowerMode }),
  addBatteryStateListener: () => subscription,
  addLowPowerModeListener: () => subscription,
});

const network = (state: { isConnected?: boolean; type?: string }): NetworkLike => ({
  getNetworkStateAsync: async () => state,
  addNetworkStateListener: () => subscription,
});

describe('what a phone says of itself', () => {
  test('the native module is believed first, the packages fill in what it does not tell', async () => {
    const device = new PhoneDeviceState(native({ isCharging: false, isConnected: null }), {
      battery: battery(0.9, 2),
      network: network({ isConnected: true, type: 'CELLULAR' }),
    });

    expect(await device.read()).toMatchObject({
      isCharging: false,
      isBatteryLow: false,
      isConnected: true,
      isMetered: true,
      isStorageLow: null,
    });
  });

  test.each([
    [0.1, 1, { isCharging: false, isBatteryLow: true }],
    [0.1, 2, { isCharging: true, isBatteryLow: false }],
    [0.9, 3, { isCharging: true, isBatteryLow: false }],
    [0.9, 0, { isCharging: null, isBatteryLow: false }],
    [-1, 1, { isCharging: false, isBatteryLow: null }],
    [0.9, 4, { isCharging: false, isBatteryLow: false }],
  ])('a battery of %d in state %d', async (level, state, facts) => {
    const device = new PhoneDeviceState(null, { battery: battery(level, state) });

    expect(await device.read()).toMatchObject(facts);
  });

  test.each([
    [
      { isConnected: false, type: 'NONE' },
      { isConnected: false, isMetered: null },
    ],
    [
      { isConnected: true, type: 'WIFI' },
      { isConnected: true, isMetered: false },
    ],
    [{ type: 'VPN' }, { isConnected: null, isMetered: null }],
    [{}, { isConnected: null, isMetered: null }],
  ])('a network %j', async (state, facts) => {
    const device = new PhoneDeviceState(null, { network: network(state) });

    expect(await device.read()).toMatchObject(facts);
  });

  test('a source that fails leaves its facts unknown, and the others stand', async () => {
    const broken: BatteryLike = {
      ...battery(1, 1),
      getPowerStateAsync: () => Promise.reject(new Error('no')),
    };
    const device = new PhoneDeviceState(native({ isPowerSaving: true }), { battery: broken });

    expect(await device.read()).toMatchObject({ isPowerSaving: true, isCharging: null });
  });

  test('listening subscribes to every source, and stopping lets go of all', () => {
    const open = new Set<object>();
    const listen = () => {
      const one = { remove: () => void open.delete(one) };
      open.add(one);
      return one;
    };
    const device = new PhoneDeviceState({ addListener: listen } as unknown as NativeSyncModule, {
      battery: {
        ...battery(1, 1),
        addBatteryStateListener: listen,
        addLowPowerModeListener: listen,
      },
      network: { ...network({}), addNetworkStateListener: listen },
    });

    const stop = device.onChange(() => {});
    const listening = open.size;
    stop();

    expect([listening, open.size]).toEqual([4, 0]);
  });
});
