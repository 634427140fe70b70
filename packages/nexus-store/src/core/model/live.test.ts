import { expect, test } from 'vitest';
import { LiveValue } from './live.ts';

const raise = (error: unknown): never => {
  throw error;
};

test('a subscriber hears the current value at once, then every change', () => {
  const live = new LiveValue(1, raise);
  const heard: number[] = [];

  live.subscribe((value) => heard.push(value));
  live.set(2);
  live.set(2);
  live.set(3);

  expect(heard).toEqual([1, 2, 3]);
});

test('one function subscribed twice is heard and removed twice', () => {
  const live = new LiveValue(1, raise);
  let calls = 0;
  const count = (): void => {
    calls += 1;
  };

  const stop = live.subscribe(count);
  live.subscribe(count);
  stop();
  stop();
  live.set(2);

  expect(calls).toBe(3);
});

test('a listener that throws does not keep the others from hearing', () => {
  const errors: unknown[] = [];
  const live = new LiveValue(1, (error) => errors.push(error));
  const heard: number[] = [];

  live.subscribe(() => raise(new Error('broken')));
  live.subscribe((value) => heard.push(value));
  live.set(2);

  expect(heard).toEqual([1, 2]);
  expect(errors).toHaveLength(2);
});

test('a slow reader gets the latest value and never a backlog', async () => {
  const live = new LiveValue(1, raise);
  const values = live[Symbol.asyncIterator]();

  expect(await values.next()).toEqual({ done: false, value: 1 });
  live.set(2);
  live.set(3);
  expect(await values.next()).toEqual({ done: false, value: 3 });
  const waiting = values.next();
  live.set(4);
  expect(await waiting).toEqual({ done: false, value: 4 });
});

test('closing ends every iteration and keeps the value readable', async () => {
  const live = new LiveValue(1, raise);
  const values = live[Symbol.asyncIterator]();
  await values.next();
  const waiting = values.next();

  live.close();
  live.set(2);

  expect(await waiting).toEqual({ done: true, value: undefined });
  expect(live.current).toBe(1);
  expect(await live[Symbol.asyncIterator]().next()).toEqual({ done: true, value: undefined });
});

test('leaving a loop stops listening', async () => {
  const live = new LiveValue(1, raise);

  for await (const value of live) if (value === 1) break;

  expect(live.hasSubscribers).toBe(false);
});
