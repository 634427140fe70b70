import { afterEach, describe, expect, test, vi } from 'vitest';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';
import { PlainAbortController } from '../../testing/plain-abort-controller.ts';
import { abortWith } from './abort-with.ts';
import { runTasks } from './budgeted-run.ts';
import { WakeUpRun } from './wake-up-run.ts';

afterEach(() => vi.unstubAllGlobals());

describe('a signal that is aborted with a reason', () => {
  test('tells it where the engine keeps reasons', () => {
    const controller = new AbortController();

    abortWith(controller, 'quota');

    expect(controller.signal).toMatchObject({ aborted: true, reason: 'quota' });
  });

  test("tells it on React Native's controller too, before its listeners are called", () => {
    const controller = new PlainAbortController();
    const seen: unknown[] = [];
    controller.signal.addEventListener('abort', () => seen.push(controller.signal.reason));

    abortWith(controller, 'quota');
    abortWith(controller, 'timeout');

    expect(seen).toEqual(['quota']);
    expect(controller.signal.reason).toBe('quota');
  });
});

test("on React Native a task hears why its run is ended, and the run's record knows it", async () => {
  vi.stubGlobal('AbortController', PlainAbortController);
  const runtime = createVirtualRuntime(1);
  const system = new AbortController();
  const run = new WakeUpRun(
    runtime,
    {
      ...{ id: 'sync', runId: 'run-1', attempt: 1, reason: 'scheduled', appState: 'headless' },
      ...{ deadline: Infinity, signal: system.signal, complete: () => {} },
    },
    25_000,
    () => {},
  );
  const heard: unknown[] = [];
  const execute = (context: { readonly signal: AbortSignal }): Promise<boolean> =>
    new Promise((resolve) => {
      context.signal.addEventListener('abort', () => {
        heard.push(context.signal.reason);
        resolve(false);
      });
    });
  const limits = { windowMs: 25_000, signal: run.signal, reason: 'scheduled', attempt: 1 };
  const done = runTasks(runtime, [{ taskId: 'mine', execute }], limits);

  abortWith(system, 'constraint');
  await done;

  expect(heard).toEqual(['constraint']);
  expect(run.stopReason).toBe('constraint');
});
