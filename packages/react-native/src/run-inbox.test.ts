import { createVirtualRuntime, type VirtualRuntime } from 'nexus-store/testing';
import type { WakeUp } from 'nexus-store';
import { beforeEach, describe, expect, test } from 'vitest';
import type { NativeSyncModule, NativeVerdict } from './native-module.ts';
import { NativeScheduler } from './native-scheduler.ts';
import { RunInbox } from './run-inbox.ts';

let runtime: VirtualRuntime;
let inbox: RunInbox;
let wakeUps: WakeUp[];

beforeEach(() => {
  runtime = createVirtualRuntime(1);
  inbox = new RunInbox(runtime);
  wakeUps = [];
});

const run = (more: object = {}): { readonly data: unknown } => ({
  data: {
    id: 'sync',
    runId: 'run-1',
    attempt: 2,
    reason: 'scheduled',
    appState: 'headless',
    deadline: runtime.clock.now() + 30_000,
    ...more,
  },
});

/** The verdict, once there is one. */
function verdictOf(promise: Promise<NativeVerdict>): { current: NativeVerdict | undefined } {
  const holder: { current: NativeVerdict | undefined } = { current: undefined };
  void promise.then((verdict) => {
    holder.current = verdict;
  });
  return holder;
}

describe('the inbox of native runs', () => {
  test('a run becomes a wake-up, and its verdict the answer of the task', async () => {
    inbox.bind((wakeUp) => wakeUps.push(wakeUp));
    const answer = verdictOf(inbox.execute(run()));

    wakeUps[0]?.complete('failure');
    wakeUps[0]?.complete('success');
    await runtime.settle();

    expect(wakeUps[0]).toMatchObject({
      id: 'sync',
      runId: 'run-1',
      attempt: 2,
      appState: 'headless',
    });
    expect(answer.current).toEqual({ runId: 'run-1', result: 'failure' });
    expect(runtime.pendingTimers).toBe(0);
  });

  test('what comes before anybody listens is held', async () => {
    const answer = verdictOf(inbox.execute(run()));

    inbox.bind((wakeUp) => wakeUp.complete('success'));
    await runtime.settle();

    expect(answer.current?.result).toBe('success');
    expect(() => inbox.bind(() => {})).toThrow(TypeError);
  });

  test('a stop aborts the signal with its reason; a verdict within the grace counts', async () => {
    inbox.bind((wakeUp) => wakeUps.push(wakeUp));
    const answer = verdictOf(inbox.execute(run()));

    inbox.stop({ runId: 'run-1', reason: 'constraint' });
    inbox.stop({ runId: 'run-1', reason: 'timeout' });
    await runtime.advance('1s');
    wakeUps[0]?.complete('success');
    await runtime.settle();

    expect(wakeUps[0]?.signal.reason).toBe('constraint');
    expect(answer.current?.result).toBe('success');
  });

  test('a handler that ignores its signal is answered for', async () => {
    inbox.bind((wakeUp) => wakeUps.push(wakeUp));
    const answer = verdictOf(inbox.execute(run()));

    inbox.stop({ runId: 'run-1', reason: 'expired' });
    await runtime.advance('5s');

    expect(answer.current?.result).toBe('retry');
    expect(runtime.pendingTimers).toBe(0);
  });

  test('a system that says nothing at the end of the window is not waited for', async () => {
    inbox.bind((wakeUp) => wakeUps.push(wakeUp));
    const answer = verdictOf(inbox.execute(run()));

    await runtime.advance('30s');
    const inTime = wakeUps[0]?.signal.aborted;
    await runtime.advance('5s');

    expect(inTime).toBe(false);
    expect(wakeUps[0]?.signal.reason).toBe('timeout');
    expect(answer.current?.result).toBe('retry');
  });

  test('a stop of a run that is not there changes nothing', () => {
    inbox.stop({ runId: 'other', reason: 'timeout' });

    expect(runtime.pendingTimers).toBe(0);
  });
});

test('what the native module rejects with is a refusal, never lost', async () => {
  const native = {
    platform: 'android',
    supportsExpedited: true,
    schedule: () => Promise.reject(new Error('expo-task-manager is not installed')),
  } as unknown as NativeSyncModule;

  const answer = await new NativeScheduler(native, inbox).schedule({ id: 'sync', kind: 'once' });

  expect(answer).toEqual({
    ok: false,
    code: 'schedule/host',
    message: 'expo-task-manager is not installed',
  });
});
