import type { Runtime } from '../ports/runtime.ts';
import type { BackgroundSyncTask } from './background-sync-task.ts';

/** What became of one task in one run. */
export interface TaskResult {
  readonly taskId: string;
  readonly outcome: 'done' | 'not-done' | 'threw' | 'cut-off';
  /** What it threw, as text. */
  readonly error?: string;
  readonly durationMs: number;
}

export interface RunLimits {
  /** Epoch milliseconds; Infinity for none. */
  readonly deadline: number;
  /** The longest the whole run may take. */
  readonly budgetMs: number;
  readonly signal: AbortSignal;
  readonly reason: string;
  readonly attempt: number;
}

/** After its share ended a task gets this long to come back; then the run goes on without it. */
const GRACE_MS = 300;
/** The run ends this long before the system would end it, for the journal and the next request. */
const CLOSING_MS = 1_000;

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
  const window = Math.min(limits.budgetMs, limits.deadline - clock.now() - CLOSING_MS);
  const endsAt = clock.elapsed() + Math.max(0, window);
  const results: TaskResult[] = [];
  for (const [index, task] of tasks.entries()) {
    const share = (endsAt - clock.elapsed()) / (tasks.length - index);
    results.push(await runTask(runtime, task, Math.max(0, share), limits));
  }
  return results;
}

async function runTask(
  runtime: Runtime,
  task: BackgroundSyncTask,
  shareMs: number,
  limits: RunLimits,
): Promise<TaskResult> {
  const { clock, timers } = runtime;
  const startedAt = clock.elapsed();
  const ended = (outcome: TaskResult['outcome'], error?: string): TaskResult => ({
    taskId: task.taskId,
    outcome,
    ...(error === undefined ? {} : { error }),
    durationMs: clock.elapsed() - startedAt,
  });
  if (limits.signal.aborted || shareMs <= 0) return ended('cut-off');
  const controller = new AbortController();
  const cut = new Promise<TaskResult>((resolve) => {
    controller.signal.addEventListener(
      'abort',
      () => {
        timers.after(GRACE_MS, () => resolve(ended('cut-off')));
      },
      { once: true },
    );
  });
  const onAbort = (): void => controller.abort(limits.signal.reason);
  limits.signal.addEventListener('abort', onAbort, { once: true });
  const cancel = Number.isFinite(shareMs)
    ? timers.after(shareMs, () => controller.abort('timeout'))
    : () => {};
  const context = {
    deadline: Math.min(limits.deadline, clock.now() + shareMs),
    signal: controller.signal,
    reason: limits.reason,
    attempt: limits.attempt,
  };
  try {
    return await Promise.race([execute(task, context, ended), cut]);
  } finally {
    cancel();
    limits.signal.removeEventListener('abort', onAbort);
  }
}

async function execute(
  task: BackgroundSyncTask,
  context: Parameters<BackgroundSyncTask['execute']>[0],
  ended: (outcome: TaskResult['outcome'], error?: string) => TaskResult,
): Promise<TaskResult> {
  try {
    const isDone = await task.execute(context);
    if (isDone) return ended('done');
    return ended(context.signal.aborted ? 'cut-off' : 'not-done');
  } catch (error) {
    return ended(context.signal.aborted ? 'cut-off' : 'threw', String(error).slice(0, 1024));
  }
}
