import { describe, expect, test } from 'vitest';
import {
  InvariantError,
  isNexusError,
  NexusError,
  QueueError,
  RemoteError,
  ScheduleError,
  StorageError,
  StoppedError,
  StoreError,
  UsageError,
} from './errors.ts';

describe('an error keeps its name where a minifier has renamed its class', () => {
  test.each([
    ['NexusError', class o extends NexusError {}],
    ['StorageError', class o extends StorageError {}],
    ['QueueError', class o extends QueueError {}],
    ['StoreError', class o extends StoreError {}],
    ['RemoteError', class o extends RemoteError {}],
    ['ScheduleError', class o extends ScheduleError {}],
    ['UsageError', class o extends UsageError {}],
  ] as const)('%s', (name, Renamed) => {
    const error = new Renamed('usage/invalid-argument' as never, 'no', { cause: 'why' });

    expect(Renamed.name).toBe('o');
    expect(Object.hasOwn(error, 'name')).toBe(true);
    expect(error.name).toBe(name);
    expect(String(error)).toBe(`${name}: no`);
    expect(error.cause).toBe('why');
    expect(isNexusError(error, 'usage/invalid-argument')).toBe(true);
  });

  test('also those that have no code', () => {
    const stopped = new (class o extends StoppedError {})('closed');
    const invariant = new (class o extends InvariantError {})('order');

    expect([stopped.name, invariant.name]).toEqual(['AbortError', 'InvariantError']);
  });
});
