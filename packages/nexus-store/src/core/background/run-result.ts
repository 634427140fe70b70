import type { SyncReport } from '../model/sync-report.ts';
import type { RunResult, StopReason } from '../ports/platform-scheduler.ts';
import type { TaskResult } from './budgeted-run.ts';
import { STORE_SYNC_TASK } from './store-sync-task.ts';
import type { UnmetConstraint } from './unmet-constraints.ts';

/** What the tasks of a run came to. */
export interface Pass {
  readonly runId: string;
  readonly unmet: readonly UnmetConstraint[];
  readonly tasks: readonly TaskResult[];
  /** What the store's sync did; null if it did not come back, or there is none. */
  readonly report: SyncReport | null;
  /** The run at work that did this run's work; null if it did its own. */
  readonly joined: string | null;
  /** It waited for a run at work until its own window was over. */
  readonly isOvertaken: boolean;
}

/** What a run tells the system, and what follows. */
export interface RunEnd {
  readonly result: RunResult;
  /** Everything was done that there was to do. */
  readonly isDone: boolean;
  /** It counts against the retry policy. */
  readonly isFailure: boolean;
  /** It was cut off while it was sending: another run is asked for at once. */
  readonly followsAtOnce: boolean;
}

/** True if the run, or part of it, ended before it had done its work. */
export function isCutOff({ tasks, report, isOvertaken }: Pass): boolean {
  if (isOvertaken || tasks.some(({ outcome }) => outcome === 'cut-off')) return true;
  return report?.stoppedBy === 'deadline' || report?.stoppedBy === 'aborted';
}

/**
 * What a run comes to. The queue owns its retries, so `retry` is for runs that could not decide, and
 * for an app's own tasks, as often as the policy allows; `failure` then leaves the rest to the next
 * interval. A sync that met a closed door has done its part: the next attempt is asked for by time.
 *
 * @param attempt 1 for the first run, one more after each failed one
 */
export function endOf(
  pass: Pass,
  stopReason: StopReason | null,
  attempt: number,
  maxAttempts: number,
): RunEnd {
  const isSending = (pass.report?.pushed ?? 0) > 0;
  const failed: RunEnd = {
    result: attempt < maxAttempts ? 'retry' : 'failure',
    isDone: false,
    isFailure: true,
    followsAtOnce: false,
  };
  if (stopReason !== null)
    return { ...failed, result: 'retry', isFailure: !isSending, followsAtOnce: isSending };
  if (pass.unmet.length > 0) return failed;
  if (pass.isOvertaken) return { ...failed, result: 'retry', isFailure: false };
  const others = pass.tasks.filter(({ taskId }) => taskId !== STORE_SYNC_TASK);
  const store = pass.tasks.find(({ taskId }) => taskId === STORE_SYNC_TASK);
  const othersDone = others.every(({ outcome }) => outcome === 'done');
  if (isCutOff(pass)) {
    // Cut off in the middle of a long queue is how it should be. The host's own backoff, which grows
    // with every `retry`, would turn such a queue into days.
    if (othersDone && isSending)
      return { result: 'success', isDone: false, isFailure: false, followsAtOnce: true };
    return failed;
  }
  if (!othersDone || store?.outcome === 'threw') return failed;
  const isDone = store === undefined || store.outcome === 'done';
  return { result: 'success', isDone, isFailure: false, followsAtOnce: false };
}
