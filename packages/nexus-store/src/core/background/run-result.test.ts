import { expect, test } from 'vitest';
import type { SyncReport } from '../model/sync-report.ts';
import type { StopReason } from '../ports/platform-scheduler.ts';
import type { TaskResult } from './budgeted-run.ts';
import { endOf, type Pass } from './run-result.ts';
import { STORE_SYNC_TASK } from './store-sync-task.ts';

const REPORT: SyncReport = {
  pushed: 0,
  pulled: 0,
  conflicts: 0,
  dead: 0,
  remaining: 0,
  stoppedBy: 'drained',
  nextAttemptAt: null,
  durationMs: 1,
};
const store = (outcome: TaskResult['outcome']): TaskResult => ({
  taskId: STORE_SYNC_TASK,
  outcome,
  durationMs: 1,
});
const own = (outcome: TaskResult['outcome']): TaskResult => ({ ...store(outcome), taskId: 'own' });

interface Case {
  readonly tasks?: readonly TaskResult[];
  readonly report?: Partial<SyncReport> | null;
  readonly pass?: Partial<Pass>;
  readonly stop?: StopReason;
  readonly attempt?: number;
}

function end({ tasks = [store('done')], report = {}, pass = {}, stop, attempt = 1 }: Case): string {
  const whole: Pass = {
    runId: 'run',
    unmet: [],
    tasks,
    report: report === null ? null : { ...REPORT, ...report },
    joined: null,
    isOvertaken: false,
    ...pass,
  };
  const { result, isDone, isFailure, followsAtOnce } = endOf(whole, stop ?? null, attempt, 3);
  const words = [isDone && 'done', isFailure && 'counts', followsAtOnce && 'follows'];
  return [result, ...words.filter((word) => word !== false)].join(' ');
}

test.each<[string, Case, string]>([
  ['everything was sent', {}, 'success done'],
  ['there was no store to sync', { tasks: [own('done')], report: null }, 'success done'],
  [
    'there was no network',
    { tasks: [store('not-done')], report: { stoppedBy: 'offline' } },
    'success',
  ],
  [
    'the server asked to wait',
    { tasks: [store('not-done')], report: { stoppedBy: 'blocked' } },
    'success',
  ],
  [
    'the window ended in the middle of a long queue',
    { tasks: [store('not-done')], report: { stoppedBy: 'deadline', pushed: 9 } },
    'success follows',
  ],
  [
    'the window ended and nothing was sent',
    { tasks: [store('not-done')], report: { stoppedBy: 'deadline' } },
    'retry counts',
  ],
  ['the sync did not come back', { tasks: [store('cut-off')], report: null }, 'retry counts'],
  [
    'the system ended it',
    { tasks: [store('cut-off')], report: { stoppedBy: 'aborted' }, stop: 'expired' },
    'retry counts',
  ],
  [
    'the system ended it while it was sending',
    { tasks: [store('cut-off')], report: { stoppedBy: 'aborted', pushed: 5 }, stop: 'expired' },
    'retry follows',
  ],
  ['the storage failed', { tasks: [store('threw')], report: null }, 'retry counts'],
  ['a task of the app failed', { tasks: [store('done'), own('not-done')] }, 'retry counts'],
  [
    'a task of the app hung, though the queue made progress',
    { tasks: [store('done'), own('cut-off')], report: { pushed: 5 } },
    'retry counts',
  ],
  ['a constraint was not met', { tasks: [], pass: { unmet: ['charging'] } }, 'retry counts'],
  [
    'it failed for the last time',
    { tasks: [store('done'), own('threw')], attempt: 3 },
    'failure counts',
  ],
  [
    'a constraint was not met for the last time',
    { tasks: [], pass: { unmet: ['charging'] }, attempt: 3 },
    'failure counts',
  ],
  [
    'another run worked until its window was over',
    { tasks: [], report: null, pass: { isOvertaken: true } },
    'retry',
  ],
])('when %s, a run reports %s', (_, given, expected) => {
  expect(end(given)).toBe(expected);
});
