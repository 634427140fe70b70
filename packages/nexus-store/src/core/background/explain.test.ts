import { describe, expect, test } from 'vitest';
import type { Duration } from '../model/duration.ts';
import { UNKNOWN_DEVICE } from '../ports/device-state.ts';
import { INITIAL_STATUS, type SyncStatus } from '../sync/sync-status.ts';
import { BackgroundSyncConfig } from './background-sync-config.ts';
import { explain, type ExplainFacts } from './explain.ts';
import type { ReasonCode } from './explanation.ts';
import { newRecord, type JournalRecord } from './journal.ts';
import { NEW_STATE } from './service-state.ts';

const NOW = 1_000_000_000;
const MINUTE = 60_000;
const pending: SyncStatus = {
  ...INITIAL_STATUS,
  phase: 'idle',
  pending: { critical: 0, high: 1, normal: 2, low: 0 },
  oldestPendingAt: NOW - MINUTE,
};
const failure = { code: 'remote/server', status: 503, at: NOW - 1 };

const sent: Partial<SyncStatus> = { pending: INITIAL_STATUS.pending, oldestPendingAt: null };

interface Wish extends Partial<Omit<ExplainFacts, 'status' | 'device' | 'state'>> {
  readonly status?: Partial<SyncStatus>;
  readonly device?: Partial<ExplainFacts['device']>;
  readonly state?: Partial<ExplainFacts['state']>;
}

function facts(wish: Wish = {}): ExplainFacts {
  return {
    now: NOW,
    isSupported: true,
    config: new BackgroundSyncConfig(),
    isCancelled: false,
    hasRemote: true,
    askedToWaitUntil: null,
    history: [],
    ...wish,
    status: { ...pending, ...wish.status },
    device: { ...UNKNOWN_DEVICE, ...wish.device },
    state: { ...NEW_STATE, ...wish.state },
  };
}

const codes = (wish: Wish): ReasonCode[] => explain(facts(wish)).reasons.map(({ code }) => code);
const run = (more: Partial<JournalRecord>): JournalRecord => ({
  ...newRecord(
    {
      id: 'sync',
      runId: 'run',
      attempt: 1,
      reason: 'scheduled',
      appState: 'headless',
      deadline: Infinity,
      signal: new AbortController().signal,
      complete: () => {},
    },
    NOW - MINUTE,
  ),
  ...more,
});
const blocked = (reason: NonNullable<SyncStatus['blockedBy']>['reason']): Partial<SyncStatus> => ({
  blockedBy: { reason, until: NOW + MINUTE },
  lastFailure: failure,
});

describe('why something has not synced', () => {
  test.each<[ReasonCode, Wish]>([
    ['unsupported', { isSupported: false }],
    ['not-initialized', { config: null }],
    ['disabled', { config: BackgroundSyncConfig.disabled }],
    ['cancelled', { isCancelled: true }],
    ['paused', { status: blocked('paused') }],
    ['unauthorised', { status: blocked('unauthorised') }],
    ['upgrade-required', { status: blocked('upgrade-required') }],
    ['background-refused', { device: { isBackgroundAllowed: false } }],
    [
      'request-refused',
      { state: { refusal: { id: 'sync', code: 'schedule/unavailable', message: 'off', at: NOW } } },
    ],
    ['standby-restricted', { device: { standbyBucket: 'restricted' } }],
    ['server-asked-to-wait', { askedToWaitUntil: NOW + MINUTE, status: blocked('gate') }],
    ['no-remote', { hasRemote: false, status: blocked('offline') }],
    ['offline', { device: { isConnected: false } }],
    ['offline', { device: { isConnected: true }, status: blocked('offline') }],
    ['server-failing', { status: blocked('gate') }],
    ['constraint-unmet', { device: { isBatteryLow: true } }],
    ['power-saving', { device: { isPowerSaving: true } }],
    ['conflicts-waiting', { status: { conflicts: 1 } }],
    ['dead-letters', { status: { dead: 2 } }],
    ['run-did-not-start', { history: [run({ endedAt: 1, source: 'platform' })] }],
    ['run-was-killed', { history: [run({})] }],
    [
      'run-was-killed',
      { history: [run({ endedAt: NOW, stopReason: 'timeout', source: 'service-and-platform' })] },
    ],
    [
      'run-was-too-short',
      { history: [run({ endedAt: NOW, stoppedBy: 'deadline', pushed: 0, remaining: 3 })] },
    ],
    ['not-woken', { state: { acceptedAt: NOW - 60 * MINUTE }, status: { oldestPendingAt: 1 } }],
    ['not-yet-due', { status: { nextAttemptAt: NOW + MINUTE } }],
    ['waiting-for-wake-up', { state: { acceptedAt: NOW - MINUTE } }],
  ])('%s is found, alone', (code, wish) => {
    const { reasons } = explain(facts(wish));

    expect(reasons.map((reason) => reason.code)).toEqual([code]);
    expect(reasons[0]?.message).toMatch(/^[A-Z\d].*\.$/);
  });

  test.each<[string, Wish, number, RegExp]>([
    [
      'a wrong address',
      { status: blocked('gate') },
      405,
      /^Nothing is taken: .*status 405\) was not/,
    ],
    [
      'the page of a network',
      { device: { isConnected: true }, status: blocked('offline') },
      200,
      /^There is a network, .*status 200\) was not/,
    ],
  ])('%s is told from a server that fails, with what helps', (_name, wish, status, message) => {
    const lastFailure = { code: 'remote/protocol', status, at: NOW - 1 };

    const [reason] = explain(facts({ ...wish, status: { ...wish.status, lastFailure } })).reasons;

    expect(reason?.message).toMatch(message);
    expect(reason?.action).toMatch(/sign-in first.*look at the address of the server/);
  });

  test('nothing is pending, whatever the device says', () => {
    const wish: Wish = {
      status: { ...sent, lastSyncedAt: NOW - MINUTE },
      device: { isConnected: false, isPowerSaving: true },
    };

    expect(explain(facts(wish))).toMatchObject({
      pending: 0,
      reasons: [{ code: 'nothing-pending', action: null }],
    });
  });

  test.each<[string, Partial<SyncStatus>, RegExp, RegExp | null]>([
    ['503', { lastFailure: failure }, /answers 503/, null],
    [
      'a page of somebody else',
      { lastFailure: { code: 'remote/protocol', status: 200, at: NOW - 1 } },
      /status 200\) was not this server/,
      /sign-in first/,
    ],
    [
      '404',
      { lastFailure: { code: 'remote/protocol', status: 404, at: NOW - 1 } },
      /status 404/,
      /address of the server/,
    ],
    [
      '401',
      {
        blockedBy: { reason: 'unauthorised', until: null },
        lastFailure: { code: 'remote/unauthorised', status: 401, at: NOW - 1 },
      },
      /credentials/,
      /^Sign in again/,
    ],
    [
      '426',
      { lastFailure: { code: 'remote/upgrade-required', status: 426, at: NOW - 1 } },
      /newer version/,
      /Update/,
    ],
    [
      '403',
      { lastFailure: { code: 'remote/rejected', status: 403, at: NOW - 1 } },
      /refuses with status 403/,
      /lets this user read/,
    ],
    [
      'nothing',
      { lastFailure: { code: 'remote/offline', at: NOW - 1 } },
      /cannot be reached/,
      null,
    ],
    [
      'nothing in time',
      { lastFailure: { code: 'remote/timeout', at: NOW - 1 } },
      /does not answer in time/,
      null,
    ],
  ])('a fetch that is answered %s is named, with what helps', (_, status, words, action) => {
    for (const lastSyncedAt of [null, NOW - MINUTE]) {
      const { pending: waiting, reasons } = explain(
        facts({ status: { ...sent, ...status, lastSyncedAt } }),
      );

      expect(waiting).toBe(0);
      expect(reasons).toMatchObject([{ code: 'fetch-failed', since: NOW - 1 }]);
      expect(reasons[0]?.message).toMatch(/^What is new on the server .*\.$/);
      expect(reasons[0]?.message).toMatch(words);
      if (action === null) expect(reasons[0]?.action).toBeNull();
      else expect(reasons[0]?.action).toMatch(action);
    }
  });

  test('a failed fetch tells until when nothing is tried, and what the device knows of the network', () => {
    const { reasons } = explain(
      facts({
        status: {
          ...sent,
          lastFailure: { code: 'remote/offline', at: NOW - 1 },
          blockedBy: { reason: 'offline', until: NOW + MINUTE },
        },
        device: { isConnected: false },
      }),
    );

    expect(reasons).toMatchObject([
      { code: 'fetch-failed', action: 'Connect to a network.', until: NOW + MINUTE },
    ]);
  });

  test('a failure that another context has got over since is none', () => {
    const status = { ...sent, lastFailure: failure, lastSyncedAt: NOW };

    expect(codes({ status })).toEqual(['nothing-pending']);
  });

  test('a device that was never in step has not everything, unless a run is at work', () => {
    const idle = explain(facts({ status: sent })).reasons;
    const paused = facts({ status: { ...sent, blockedBy: { reason: 'paused', until: null } } });

    expect(idle).toMatchObject([
      { code: 'fetch-failed', message: 'This device has never been in step with the server.' },
    ]);
    expect(explain(paused).reasons).toMatchObject([
      { code: 'fetch-failed', action: 'Call resume.', since: null },
    ]);
    expect(codes({ status: { ...sent, phase: 'pulling' } })).toEqual(['nothing-pending']);
    expect(codes({ status: { ...sent, phase: 'closed' } })).toEqual(['nothing-pending']);
    expect(codes({ status: sent, hasRemote: false })).toEqual(['nothing-pending']);
  });

  test('what waits for people is named beside a fetch that fails', () => {
    expect(codes({ status: { ...sent, lastFailure: failure, dead: 1, conflicts: 1 } })).toEqual([
      'fetch-failed',
      'conflicts-waiting',
      'dead-letters',
    ]);
  });

  test('what only people can change comes before what time changes', () => {
    const wish: Wish = {
      status: { ...blocked('unauthorised'), dead: 1, conflicts: 2 },
      device: { isBackgroundAllowed: false, isConnected: false, isPowerSaving: true },
      history: [run({})],
    };

    expect(codes(wish)).toEqual([
      'unauthorised',
      'background-refused',
      'offline',
      'power-saving',
      'conflicts-waiting',
      'dead-letters',
      'run-was-killed',
    ]);
  });

  test('with only dead letters left, nothing else is blamed', () => {
    const wish: Wish = {
      status: { pending: INITIAL_STATUS.pending, dead: 1 },
      device: { isConnected: false },
    };

    expect(codes(wish)).toEqual(['dead-letters']);
    expect(explain(facts(wish)).reasons[0]?.message).toBe(
      'One write was refused and is kept as a dead letter.',
    );
  });

  test('an unmet constraint is named in words, with its beginning', () => {
    const [reason] = explain(
      facts({
        config: new BackgroundSyncConfig({ requiresCharging: true }),
        device: { isCharging: false, isBatteryLow: true },
        state: { unmetSince: { charging: NOW - 5, 'battery-not-low': NOW - 9 } },
      }),
    ).reasons;

    expect(reason).toMatchObject({ code: 'constraint-unmet', since: NOW - 9 });
    expect(reason?.message).toBe(
      'Background runs wait for a charger and a battery that is not low, as the app has configured them.',
    );
  });

  test('times tell since when and until when', () => {
    const [asked] = explain(
      facts({ askedToWaitUntil: NOW + MINUTE, status: blocked('gate') }),
    ).reasons;
    const [due] = explain(facts({ status: { nextAttemptAt: NOW + MINUTE } })).reasons;

    expect(asked).toMatchObject({ since: NOW - 1, until: NOW + MINUTE });
    expect(due).toMatchObject({ until: NOW + MINUTE });
  });

  test('a device that was not woken for long is told of the swipe that may be the cause', () => {
    const [reason] = explain(
      facts({ status: { oldestPendingAt: 1 }, history: [run({ beganAt: 1, endedAt: 2 })] }),
    ).reasons;

    expect(reason?.code).toBe('not-woken');
    expect(reason?.message).toContain('has not woken the app for 12 days');
    expect(reason?.message).toContain('swiped away');
  });

  test.each<[Duration, string]>([
    ['2s', 'Raise budget in the configuration: 25 seconds are usual.'],
    ['25s', 'Open the app: it syncs while it is in front.'],
  ])('a run that sent nothing in a budget of %s is told with what helps', (budget, action) => {
    const history = [run({ endedAt: NOW, stoppedBy: 'deadline', pushed: 0, remaining: 3 })];
    const config = new BackgroundSyncConfig({ budget });

    expect(explain(facts({ config, history })).reasons).toMatchObject([
      { code: 'run-was-too-short', action },
    ]);
  });

  test.each<[string, Partial<JournalRecord>, Partial<SyncStatus>]>([
    ['sent something', { pushed: 1 }, {}],
    ['left nothing', { remaining: 0 }, {}],
    ['was offline', { stoppedBy: 'offline' }, {}],
    ['ended before the oldest of what waits was written', {}, { oldestPendingAt: NOW - 1 }],
  ])('a run that %s is not called too short', (_, more, status) => {
    const cut = { endedAt: NOW, stoppedBy: 'deadline', pushed: 0, remaining: 3, ...more };

    expect(codes({ history: [run(cut)], status })).toEqual(['waiting-for-wake-up']);
  });

  test('a run that ended after one that was killed is the end of that story', () => {
    const history = [run({}), run({ beganAt: NOW - 2, endedAt: NOW - 1 })];

    expect(codes({ history })).toEqual(['waiting-for-wake-up']);
  });
});
