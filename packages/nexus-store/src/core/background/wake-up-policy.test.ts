import { describe, expect, test } from 'vitest';
import { BackgroundSyncConfig } from './background-sync-config.ts';
import type { BackgroundSyncConfigOptions } from './background-sync-config.ts';
import { noOpScheduler } from './no-op-scheduler.ts';
import {
  effectiveIntervalMs,
  notBeforeAfter,
  planWakeUps,
  type PolicyFacts,
} from './wake-up-policy.ts';

const NOW = 1_000_000_000;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const android: PolicyFacts['capabilities'] = {
  ...noOpScheduler.capabilities,
  kinds: ['once', 'periodic'],
  minIntervalMs: 15 * MINUTE,
  expedited: true,
};

function facts(change: Partial<PolicyFacts> = {}): PolicyFacts {
  return {
    now: NOW,
    config: new BackgroundSyncConfig({ requiresCharging: true }),
    capabilities: android,
    pending: [0, 0, 0, 0],
    nextAttemptAt: NOW,
    isInFront: false,
    isOffline: false,
    wasCutOff: false,
    notBefore: null,
    criticalAskedAt: [],
    hintedIntervalMs: null,
    asked: {},
    isRunAtWork: false,
    running: new Set(),
    random: () => 0,
    ...change,
  };
}

const critical = { pending: [1, 0, 0, 0] } as const;
const high = { pending: [0, 1, 0, 0] } as const;
const normal = { pending: [0, 0, 1, 0] } as const;
const low = { pending: [0, 0, 0, 1] } as const;

const onces = (change: Partial<PolicyFacts>): ReturnType<typeof planWakeUps>['requests'] =>
  planWakeUps('sync', facts(change)).requests.filter(({ kind }) => kind === 'once');
const ids = (change: Partial<PolicyFacts>): string[] => onces(change).map(({ id }) => id);
const config = (options: BackgroundSyncConfigOptions): Partial<PolicyFacts> => ({
  config: new BackgroundSyncConfig(options),
});

describe('the policy, with the app in the background or closed', () => {
  test('critical: an expedited one-off that needs only the network', () => {
    expect(onces(critical)).toEqual([
      {
        id: 'sync.critical',
        kind: 'once',
        expedited: true,
        constraints: { networkType: 'connected' },
        taskKind: 'processing',
        existing: 'update',
      },
    ]);
  });

  test('critical: where nothing is expedited, an ordinary one-off with a backoff', () => {
    const [request] = onces({ ...critical, capabilities: { ...android, expedited: false } });

    expect(request).toMatchObject({ id: 'sync.critical', backoff: { initialMs: 30_000 } });
    expect(request).not.toHaveProperty('expedited');
  });

  test('high: a one-off soon, with the configured constraints', () => {
    expect(onces(high)).toMatchObject([
      {
        id: 'sync.soon',
        earliestBeginAt: NOW + 1_000,
        constraints: { networkType: 'connected', requiresCharging: true },
      },
    ]);
  });

  test('normal and low: the next periodic run', () => {
    expect([ids(normal), ids(low)]).toEqual([[], []]);
    expect(planWakeUps('sync', facts(low)).requests).toMatchObject([
      { id: 'sync', kind: 'periodic', intervalMs: 15 * MINUTE },
    ]);
  });

  test('normal and low: a one-off after minInterval where there are no periodic runs', () => {
    const capabilities = { ...android, kinds: ['once'] as const };

    expect(onces({ ...normal, capabilities })).toMatchObject([
      { id: 'sync.soon', earliestBeginAt: NOW + 15 * MINUTE },
    ]);
  });

  test('without periodic runs a one-off exists also while nothing waits, or everything is blocked', () => {
    const capabilities = { ...android, kinds: ['once'] as const };

    expect(ids({ capabilities })).toEqual(['sync.soon']);
    expect(ids({ capabilities, ...critical, nextAttemptAt: null })).toEqual(['sync.soon']);
  });

  test('a host with periodic runs only is asked for nothing else', () => {
    const { requests } = planWakeUps(
      'sync',
      facts({ ...critical, capabilities: { ...android, kinds: ['periodic'] } }),
    );

    expect(requests.map(({ kind }) => kind)).toEqual(['periodic']);
  });

  test('a blocked queue asks for periodic runs only', () => {
    expect(ids({ ...critical, nextAttemptAt: null })).toEqual([]);
  });

  test('disabled, it asks for nothing and takes back what was asked', () => {
    const plan = planWakeUps(
      'sync',
      facts({ ...critical, ...config({ enabled: false }), asked: { 'sync.soon': NOW } }),
    );

    expect(plan).toMatchObject({ requests: [], cancels: ['sync.soon'] });
  });
});

describe('the policy, with the app in front', () => {
  test('urgent writes are left to the app, with a wake-up in a minute in case it is killed', () => {
    expect(onces({ ...critical, isInFront: true })).toMatchObject([
      { id: 'sync.soon', earliestBeginAt: NOW + MINUTE },
    ]);
    expect(ids({ ...normal, isInFront: true })).toEqual([]);
  });

  test('without a network it counts as in the background', () => {
    expect(ids({ ...critical, isInFront: true, isOffline: true })).toEqual(['sync.critical']);
  });
});

describe('the time of a wake-up', () => {
  const later = NOW + 10 * MINUTE;

  test('is that of the queue, which knows what the server asked for', () => {
    expect(onces({ ...high, nextAttemptAt: later })).toMatchObject([{ earliestBeginAt: later }]);
    const [request] = onces({ ...critical, nextAttemptAt: later });
    expect(request).toMatchObject({ id: 'sync.critical', earliestBeginAt: later });
    expect(request).not.toHaveProperty('expedited');
  });

  test('is the return of the network where only that is missing', () => {
    const [request] = onces({ ...critical, nextAttemptAt: later, isOffline: true });

    expect(request).toMatchObject({ id: 'sync.critical', expedited: true });
    expect(request).not.toHaveProperty('earliestBeginAt');
  });

  test('is no less than the first backoff away, however soon the queue would try again', () => {
    expect(onces({ ...high, nextAttemptAt: NOW + 250 })).toMatchObject([
      { earliestBeginAt: NOW + 30_000 },
    ]);
    expect(onces({ ...critical, nextAttemptAt: NOW + 250 })).toMatchObject([
      { id: 'sync.critical', earliestBeginAt: NOW + 30_000 },
    ]);
  });

  test('two backoffs never multiply: the later one counts', () => {
    const notBefore = NOW + 4 * MINUTE;

    expect(onces({ ...high, notBefore })).toMatchObject([{ earliestBeginAt: notBefore }]);
    expect(onces({ ...high, notBefore, nextAttemptAt: later })).toMatchObject([
      { earliestBeginAt: later },
    ]);
  });

  test('is spread by at most a quarter of the wait, and a quarter of an hour', () => {
    const random = (): number => 0.999_999;
    const spread = (nextAttemptAt: number): number =>
      (onces({ ...high, nextAttemptAt, random })[0]?.earliestBeginAt ?? 0) - nextAttemptAt;

    expect(spread(NOW + 4 * MINUTE)).toBeCloseTo(MINUTE, -1);
    expect(spread(NOW + 10 * HOUR)).toBeCloseTo(15 * MINUTE, -1);
  });

  test('of a first periodic run is spread over the last quarter of its interval', () => {
    const beginOf = (draw: number): number | undefined =>
      planWakeUps('sync', facts({ random: () => draw })).requests[0]?.earliestBeginAt;

    expect(beginOf(0)).toBe(NOW + 15 * MINUTE);
    expect(beginOf(0.999_999)).toBeCloseTo(NOW + 11.25 * MINUTE, -1);
  });

  test('is not pushed ahead of itself by further writes', () => {
    const asked = { 'sync.soon': NOW + 500 };

    expect(onces({ ...high, asked })).toMatchObject([
      { earliestBeginAt: NOW + 500, existing: 'keep' },
    ]);
    expect(onces({ ...high, asked: { 'sync.soon': later } })).toMatchObject([
      { earliestBeginAt: NOW + 1_000, existing: 'update' },
    ]);
  });

  test('moves on when the server asks for more than the wake-up that is pending allows', () => {
    expect(onces({ ...high, nextAttemptAt: later, asked: { 'sync.soon': NOW - 5 } })).toMatchObject(
      [{ earliestBeginAt: later, existing: 'update' }],
    );
    expect(
      onces({ ...critical, nextAttemptAt: later, asked: { 'sync.critical': NOW - 5 } }),
    ).toMatchObject([{ earliestBeginAt: later, existing: 'update' }]);
  });

  test('stays where it is while it is not too early', () => {
    const asked = { 'sync.soon': NOW - 5, 'sync.critical': later + MINUTE };

    expect(onces({ ...high, asked })).toMatchObject([{ existing: 'keep' }]);
    expect(onces({ ...critical, nextAttemptAt: later, asked })).toMatchObject([
      { existing: 'keep' },
    ]);
    expect(onces({ ...critical, asked })).toMatchObject([{ existing: 'update' }]);
  });

  test('after failed runs grows as configured, and no longer than an interval', () => {
    const plain = new BackgroundSyncConfig();
    const linear = new BackgroundSyncConfig({ retryPolicy: { policy: 'linear' } });
    const waits = (of: BackgroundSyncConfig): (number | null)[] =>
      [0, 1, 2, 3, 20].map((failures) => notBeforeAfter(of, failures, 0));

    expect(waits(plain)).toEqual([null, 30_000, 60_000, 120_000, 900_000]);
    expect(waits(linear)).toEqual([null, 30_000, 60_000, 90_000, 600_000]);
  });
});

describe('the allowance for critical wake-ups', () => {
  const asked = Array.from({ length: 6 }, (_, index) => NOW - index * MINUTE);

  test('lets six an hour pass; the seventh joins those of high priority, and is told', () => {
    const plan = planWakeUps('sync', facts({ ...critical, criticalAskedAt: asked }));

    expect(ids({ ...critical, criticalAskedAt: asked.slice(1) })).toEqual(['sync.critical']);
    expect(plan.requests.map(({ id }) => id)).toEqual(['sync', 'sync.soon']);
    expect(plan.exceedsCriticalAllowance).toBe(true);
  });

  test('is free again after an hour, and after the clock was set back', () => {
    expect(ids({ ...critical, criticalAskedAt: asked, now: NOW + 2 * HOUR })).toEqual([
      'sync.critical',
    ]);
    expect(ids({ ...critical, criticalAskedAt: asked, now: NOW - 24 * HOUR })).toEqual([
      'sync.critical',
    ]);
  });

  test('may be none', () => {
    expect(ids({ ...critical, ...config({ criticalPerHour: 0 }) })).toEqual(['sync.soon']);
  });
});

describe('requests that are no longer needed', () => {
  const asked = { 'sync.soon': NOW, 'sync.critical': NOW };

  test('are taken back', () => {
    expect(planWakeUps('sync', facts({ asked })).cancels).toEqual(['sync.soon', 'sync.critical']);
    expect(planWakeUps('sync', facts({ asked, ...high })).cancels).toEqual(['sync.critical']);
  });

  test('are left alone while they run: taking them back would end the run', () => {
    expect(planWakeUps('sync', facts({ asked, running: new Set(['sync.soon']) })).cancels).toEqual([
      'sync.critical',
    ]);
  });
});

describe('while runs are at work', () => {
  test('nothing is asked that the run will do anyway', () => {
    expect(ids({ ...critical, isRunAtWork: true, running: new Set(['sync']) })).toEqual([]);
  });

  test('the run that ends asks under its own name for another', () => {
    const running = new Set(['sync.critical', 'sync.soon']);

    expect(onces({ ...critical, running, asked: { 'sync.critical': NOW } })).toMatchObject([
      { id: 'sync.critical', existing: 'update' },
    ]);
    expect(onces({ ...high, running, asked: { 'sync.soon': NOW } })).toMatchObject([
      { id: 'sync.soon', existing: 'update' },
    ]);
  });

  test('one that was cut off while it was sending is followed by another, whatever waits', () => {
    expect(ids({ ...low, wasCutOff: true })).toEqual(['sync.soon']);
    expect(ids({ wasCutOff: true })).toEqual([]);
  });
});

describe('the interval', () => {
  const { config: configured } = facts();

  test('is the longest of what app, platform and server want', () => {
    expect(effectiveIntervalMs(configured, android, null)).toBe(15 * MINUTE);
    expect(effectiveIntervalMs(configured, android, HOUR)).toBe(HOUR);
    expect(effectiveIntervalMs(configured, android, MINUTE)).toBe(15 * MINUTE);
  });

  test('reaches the periodic request', () => {
    const { requests } = planWakeUps('sync', facts({ hintedIntervalMs: 2 * HOUR }));

    expect(requests).toMatchObject([{ intervalMs: 2 * HOUR }]);
  });
});
