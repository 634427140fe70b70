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
