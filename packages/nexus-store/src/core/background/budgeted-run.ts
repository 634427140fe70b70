import type { Runtime } from '../ports/runtime.ts';
import { abortWith } from './abort-with.ts';
import type { BackgroundSyncTask, TaskContext } from './background-sync-task.ts';

/** What became of one task in one run. */
export interface TaskResult {
  readonly taskId: string;
  readonly outcome: 'done' | 'not-done' | 'threw' | 'cut-off';
  /** What it threw, as text. */
  readonly error?: string;
  readonly durationMs: number;
}

export interface RunLimits {
  /** How long all tasks together may take. */
  readonly windowMs: number;
  readonly signal: AbortSignal;
  readonly reason: string;
  readonly attempt: number;
}

/** After its share ended a task gets this long to come back; then the run goes on without it. */
export const GRACE_MS = 500;

/**
 * Gives every task its share of the window, one after another: what the first does not use, the next
 * ones have. A task that throws, hangs or ignores its signal stops neither the others nor the end.
 */
export async function runTasks(
  runtime: Runtime,
  tasks: readonly BackgroundSyncTask[],
  limits: RunLimits,
): Promise<readonly TaskResult[]> {
  const { clock } = runtime;
  const endsAt = clock.elapsed() + Math.max(0, limits.windowMs);
  const results: TaskResult[] = [];
  for (const [index, task] of tasks.entries()) {
    const share = (endsAt - clock.elapsed()) / (tasks.length - index);
    results.push(await runTask(runtime, task, share, limits));
  }
  return results;
}

type End = (outcome: TaskResult['outcome'], error?: string) => TaskResult;

async function runTask(
  runtime: Runtime,
  task: BackgroundSyncTask,
  shareMs: number,
  limits: RunLimits,
): Promise<TaskResult> {
  const { clock, timers } = runtime;
  const startedAt = clock.elapsed();
  const end: End = (outcome, error) => ({
    taskId: task.taskId,
    outcome,
    ...(error === undefined ? {} : { error }),
    durationMs: clock.elapsed() - startedAt,
  });
  if (limits.signal.aborted || shareMs <= 0) return end('cut-off');
  const controller = new AbortController();
  const onAbort = (): void => abortWith(controller, limits.signal.reason);
  limits.signal.addEventListener('abort', onAbort, { once: true });
  const cancelShare = timers.after(shareMs, () => abortWith(controller, 'timeout'));
  let cancelGrace = (): void => {};
  const cut = new Promise<TaskResult>((resolve) => {
    const wait = (): void => {
      cancelGrace = timers.after(GRACE_MS, () => resolve(end('cut-off')));
    };
    controller.signal.addEventListener('abort', wait, { once: true });
  });
  const context: TaskContext = {
    deadline: clock.now() + shareMs,
    signal: controller.signal,
    reason: limits.reason,
    attempt: limits.attempt,
  };
  try {
    return await Promise.race([execute(task, context, end), cut]);
  } finally {
    cancelShare();
    cancelGrace();
    limits.signal.removeEventListener('abort', onAbort);
  }
}

async function execute(
  task: BackgroundSyncTask,
  context: TaskContext,
  end: End,
): Promise<TaskResult> {
  try {
    if (await task.execute(context)) return end('done');
    return end(context.signal.aborted ? 'cut-off' : 'not-done');
  } catch (error) {
    return end(context.signal.aborted ? 'cut-off' : 'threw', String(error).slice(0, 1024));
  }
}
