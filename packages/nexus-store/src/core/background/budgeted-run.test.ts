import { describe, expect, test } from 'vitest';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';
import type { BackgroundSyncTask, TaskContext } from './background-sync-task.ts';
import { runTasks, type TaskResult } from './budgeted-run.ts';

const task = (
  taskId: string,
  execute: (context: TaskContext) => Promise<boolean>,
): BackgroundSyncTask => ({ taskId, execute });
const done = task('done', async () => true);
const hanging = task('hanging', () => new Promise(() => {}));

async function run(
  tasks: readonly BackgroundSyncTask[],
  options: { windowMs?: number; abortAfterMs?: number } = {},
): Promise<{ results: readonly TaskResult[]; tookMs: number; openTimers: number }> {
  const runtime = createVirtualRuntime(1);
  const controller = new AbortController();
  if (options.abortAfterMs !== undefined)
    runtime.timers.after(options.abortAfterMs, () => controller.abort('expired'));
  let tookMs = -1;
  const running = runTasks(runtime, tasks, {
    windowMs: options.windowMs ?? 9_000,
    signal: controller.signal,
    reason: 'scheduled',
    attempt: 2,
  }).then((results) => {
    tookMs = runtime.clock.elapsed();
    return results;
  });
  await runtime.advance('60s');
  return { results: await running, tookMs, openTimers: runtime.pendingTimers };
}

const outcomes = (results: readonly TaskResult[]): string[] =>
  results.map(({ taskId, outcome }) => `${taskId} ${outcome}`);

describe('a budgeted run', () => {
  test('runs every task, in the order of registration, and tells what became of each', async () => {
    const notDone = task('not done', async () => false);

    const { results, tookMs } = await run([done, notDone]);

    expect(outcomes(results)).toEqual(['done done', 'not done not-done']);
    expect(tookMs).toBe(0);
  });

  test('goes on after a task that throws, at once or later, and keeps what it said', async () => {
    const throwing = task('throwing', () => {
      throw new TypeError('no wifi');
    });
    const rejecting = task('rejecting', () => Promise.reject(new Error('no luck')));

    const { results } = await run([throwing, rejecting, done]);

    expect(outcomes(results)).toEqual(['throwing threw', 'rejecting threw', 'done done']);
    expect(results.map(({ error }) => error)).toEqual([
      'TypeError: no wifi',
      'Error: no luck',
      undefined,
    ]);
  });

  test('gives each task its share, and the next ones what is left over', async () => {
    const contexts: TaskContext[] = [];
    const note = task('note', async (context) => {
      contexts.push(context);
      return true;
    });

    await run([note, { ...note, taskId: 'note 2' }, { ...note, taskId: 'note 3' }]);

    const start = contexts[0]?.deadline ?? 0;
    expect(contexts.map(({ deadline }) => deadline - start)).toEqual([0, 1_500, 6_000]);
    expect(contexts[0]).toMatchObject({ reason: 'scheduled', attempt: 2 });
  });

  test('cuts off a task that ignores its signal, half a second after its share', async () => {
    const { results, tookMs } = await run([hanging, done]);

    expect(outcomes(results)).toEqual(['hanging cut-off', 'done done']);
    expect(tookMs).toBe(5_000);
  });

  test('tells a task by its signal that its share is over, and takes what it still says', async () => {
    const reasons: unknown[] = [];
    const obedient = task(
      'obedient',
      ({ signal }) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => {
            reasons.push(signal.reason);
            resolve(true);
          });
        }),
    );

    const { results, tookMs } = await run([obedient]);

    expect(outcomes(results)).toEqual(['obedient done']);
    expect(reasons).toEqual(['timeout']);
    expect(tookMs).toBe(9_000);
  });

  test('begins nothing after the system has ended it', async () => {
    const { results, tookMs } = await run([hanging, done], { abortAfterMs: 100 });

    expect(outcomes(results)).toEqual(['hanging cut-off', 'done cut-off']);
    expect(tookMs).toBe(600);
  });

  test('begins nothing without time', async () => {
    const { results } = await run([done], { windowMs: 0 });

    expect(outcomes(results)).toEqual(['done cut-off']);
  });

  test('leaves no timer behind', async () => {
    const { openTimers } = await run([done, hanging, done]);

    expect(openTimers).toBe(0);
  });
});
