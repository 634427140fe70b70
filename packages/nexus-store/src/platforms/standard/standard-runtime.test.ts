import { afterEach, beforeEach, expect, test, vi } from 'vitest';

beforeEach(() => vi.resetModules());
afterEach(() => vi.unstubAllGlobals());

/** Whether an event that waits is handled before `yield` comes back. */
async function letsEventsIn(): Promise<boolean> {
  const { createStandardRuntime } = await import('./standard-runtime.ts');
  let isHandled = false;
  setTimeout(() => {
    isHandled = true;
  }, 0);
  // The event's time has come.
  const until = performance.now() + 3;
  while (performance.now() < until);
  const { timers } = createStandardRuntime();
  await timers.yield();
  // Node may begin a turn on either side of its timers.
  if (!isHandled) await timers.yield();
  return isHandled;
}

test('yield lets events in', async () => {
  expect(await letsEventsIn()).toBe(true);
});

test('yield lets events in on React Native, whose setImmediate is a microtask', async () => {
  vi.stubGlobal('setImmediate', (callback: () => void) => queueMicrotask(callback));
  vi.stubGlobal('RN$Bridgeless', true);

  expect(await letsEventsIn()).toBe(true);
});

test('timers keep the process alive while somebody holds them, those set before and those set since', async () => {
  const { createStandardRuntime } = await import('./standard-runtime.ts');
  const set: NodeJS.Timeout[] = [];
  const real = setTimeout;
  vi.stubGlobal('setTimeout', (callback: () => void, delayMs: number) => {
    const timer = real(callback, delayMs);
    set.push(timer);
    return timer;
  });
  const { timers } = createStandardRuntime();
  const other = createStandardRuntime().timers;
  const later = (of: typeof timers): (() => void) => of.after(60_000, () => {});
  const held = (): boolean[] => set.map((timer) => timer.hasRef());
  const cancels = [later(timers), later(other)];

  const releases = [timers.hold?.(), timers.hold?.()];
  cancels.push(later(timers));
  const whileHeld = held();
  releases[0]?.();
  releases[0]?.();
  const byOne = held();
  releases[1]?.();
  cancels.push(later(timers));
  const byNone = held();
  for (const cancel of cancels) cancel();

  expect(whileHeld).toEqual([true, false, true]);
  expect(byOne).toEqual(whileHeld);
  expect(byNone).toEqual([false, false, false, false]);
});

test('without a logger of its own an app hears of failures that nobody else is told of, and of nothing else', async () => {
  const { createBackend, createStandardRuntime, NexusStore } = await import('../../index.ts');
  const { memoryStorage } = await import('../../storage/memory/index.ts');
  const said: unknown[][] = [];
  for (const level of ['debug', 'info', 'warn', 'error'] as const)
    vi.spyOn(console, level).mockImplementation((...words) => void said.push([level, ...words]));
  const backend = createBackend({ storage: memoryStorage(), autoSync: false });
  const notes = new NexusStore<{ id: string; text: string }>({ backend, collection: 'notes' });
  backend.on(() => {
    throw new Error('of the app');
  });

  await notes.save({ id: 'a', text: 'a secret' });
  createStandardRuntime().logger.log('warn', 'not a failure');
  await backend.close();
  vi.restoreAllMocks();

  expect(said.length).toBeGreaterThan(0);
  for (const [level, text] of said) {
    expect(level).toBe('error');
    expect(text).toMatch(/nexus-store: an event listener failed .*of the app/);
    expect(text).not.toContain('a secret');
  }
});

test('with the silent logger it hears of nothing', async () => {
  const { createStandardRuntime, silentLogger } = await import('../../index.ts');
  const error = vi.spyOn(console, 'error').mockImplementation(() => {});

  createStandardRuntime({ logger: silentLogger }).logger.log('error', 'a failure');
  const calls = error.mock.calls.length;
  vi.restoreAllMocks();

  expect(calls).toBe(0);
});
