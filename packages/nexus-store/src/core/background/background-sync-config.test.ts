import { describe, expect, test } from 'vitest';
import type { SchedulerCapabilities } from '../ports/platform-scheduler.ts';
import {
  BackgroundSyncConfig,
  weakenedFields,
  type BackgroundSyncConfigOptions,
} from './background-sync-config.ts';
import { noOpScheduler } from './no-op-scheduler.ts';

const android: SchedulerCapabilities = { ...noOpScheduler.capabilities, minIntervalMs: 900_000 };

describe('the configuration of background sync', () => {
  test('has a default for every field', () => {
    expect({ ...new BackgroundSyncConfig() }).toEqual({
      enabled: true,
      minInterval: 900_000,
      requiresNetwork: true,
      networkType: 'connected',
      requiresCharging: false,
      requiresBatteryNotLow: true,
      retryPolicy: { policy: 'exponential', initial: 30_000, maxAttempts: 10 },
      budget: 25_000,
      criticalPerHour: 6,
    });
  });

  test('takes the five fields of the specification', () => {
    const config = new BackgroundSyncConfig({
      enabled: true,
      minInterval: '30m',
      requiresNetwork: false,
      requiresCharging: true,
      requiresBatteryNotLow: false,
    });

    expect(config.minInterval).toBe(1_800_000);
    expect(config.constraints).toEqual({
      networkType: 'not-required',
      requiresCharging: true,
      requiresBatteryNotLow: false,
    });
  });

  test('scenario 10: without requiresNetwork a run is allowed offline, by default it needs a connection', () => {
    expect(new BackgroundSyncConfig({ requiresNetwork: false }).constraints.networkType).toBe(
      'not-required',
    );
    expect(new BackgroundSyncConfig().constraints.networkType).toBe('connected');
  });

  test('has presets that are options again', () => {
    const { disabled, conservative, aggressive } = BackgroundSyncConfig;
    const changed = new BackgroundSyncConfig({ ...conservative, requiresCharging: false });

    expect(disabled.enabled).toBe(false);
    expect(conservative).toMatchObject({ minInterval: 43_200_000, requiresCharging: true });
    expect(aggressive).toMatchObject({ minInterval: 900_000, requiresBatteryNotLow: false });
    expect(changed).toMatchObject({ minInterval: 43_200_000, requiresCharging: false });
  });

  test('survives JSON, so that a fresh process reads what was given', () => {
    const config = new BackgroundSyncConfig({ minInterval: '1h', networkType: 'unmetered' });
    const options = JSON.parse(JSON.stringify(config)) as BackgroundSyncConfigOptions;

    expect(new BackgroundSyncConfig(options)).toEqual(config);
  });

  test('cannot be changed', () => {
    const config = new BackgroundSyncConfig();

    expect(() => Object.assign(config, { enabled: false })).toThrow(TypeError);
    expect(() => Object.assign(config.retryPolicy, { maxAttempts: 0 })).toThrow(TypeError);
  });

  test.each([
    ['enabled', { enabled: 'yes' }],
    ['minInterval', { minInterval: '15 minutes' }],
    ['minInterval', { minInterval: 0 }],
    ['minInterval', { minInterval: '31d' }],
    ['minInterval', { minInterval: Number.NaN }],
    ['requiresNetwork', { requiresNetwork: 1 }],
    ['networkType', { networkType: 'wifi' }],
    ['networkType', { requiresNetwork: false, networkType: 'unmetered' }],
    ['networkType', { requiresNetwork: true, networkType: 'not-required' }],
    ['requiresCharging', { requiresCharging: 'no' }],
    ['requiresBatteryNotLow', { requiresBatteryNotLow: null }],
    ['retryPolicy', { retryPolicy: 'linear' }],
    ['retryPolicy.policy', { retryPolicy: { policy: 'quadratic' } }],
    ['retryPolicy.initial', { retryPolicy: { initial: -1 } }],
    ['retryPolicy.maxAttempts', { retryPolicy: { maxAttempts: 0 } }],
    ['retryPolicy.delay', { retryPolicy: { delay: 5 } }],
    ['budget', { budget: 10 }],
    ['criticalPerHour', { criticalPerHour: 1.5 }],
    ['interval', { interval: '15m' }],
  ])('names %s when that is wrong: %j', (field, options) => {
    const create = (): unknown => new BackgroundSyncConfig(options as BackgroundSyncConfigOptions);

    expect(create).toThrow(expect.objectContaining({ code: 'usage/invalid-argument' }));
    expect(create).toThrow(`BackgroundSyncConfig: ${field} `);
  });

  test('is refused if it is no object', () => {
    expect(() => new BackgroundSyncConfig(null as never)).toThrow('takes an object');
  });
});

describe('what a platform honours only in part', () => {
  test('is an interval below its minimum', () => {
    const config = new BackgroundSyncConfig({ minInterval: '1m' });

    expect(weakenedFields(android, config, [])).toEqual([
      { field: 'minInterval', asked: 60_000, got: 900_000 },
    ]);
  });

  test('is named by the fields of the configuration, each once', () => {
    const asked = { field: 'constraints.requiresBatteryNotLow', asked: true, got: false };

    const weakened = weakenedFields(android, new BackgroundSyncConfig(), [
      asked,
      asked,
      { field: 'earliestBeginAt', asked: 1, got: 2 },
    ]);

    expect(weakened).toEqual([{ field: 'requiresBatteryNotLow', asked: true, got: false }]);
  });
});
