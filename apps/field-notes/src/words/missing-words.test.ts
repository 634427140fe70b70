import type { SyncStatus } from 'nexus-store';
import { expect, test } from 'vitest';
import { missingOf } from './missing-words.ts';
import { standingOf } from './sync-words.ts';

const EMPTY: SyncStatus = {
  phase: 'idle',
  pending: { critical: 0, high: 0, normal: 0, low: 0 },
  claimed: 0,
  conflicts: 0,
  dead: 0,
  oldestPendingAt: null,
  blockedBy: null,
  nextAttemptAt: null,
  lastSyncedAt: null,
  lastFailure: null,
  progress: null,
};
const FAILURE = { code: 'remote/server-error', status: 503, at: 2_000 };

const missing = (facts: Partial<SyncStatus>, isOnline = true) =>
  missingOf({ status: { ...EMPTY, ...facts }, isOnline });
const sentence = (facts: Partial<SyncStatus>, isOnline = true) =>
  missing(facts, isOnline)?.sentence;
const standing = (facts: Partial<SyncStatus>, pending = 0) =>
  standingOf({ status: { ...EMPTY, ...facts }, pending, isOnline: true });

test('before the first fetch has ended nothing is known to be missing or not', () => {
  expect(missing({ phase: 'pulling' })).toEqual({
    kind: 'coming',
    sentence: 'Fetching your notes …',
  });
  expect(standing({}).short).toBe('Fetching');
  expect(missing({ lastSyncedAt: 1_000 })).toBeNull();
  expect(standing({ lastSyncedAt: 1_000 }).short).toBe('All sent');
});

test('a fetch that fails is told with its reason', () => {
  expect(sentence({ lastFailure: FAILURE })).toBe(
    'Could not fetch: the server answered 503. What you see may be incomplete.',
  );
  expect(sentence({ lastFailure: FAILURE, lastSyncedAt: 1_000 })).toBe(
    'Could not fetch: the server answered 503. What you see may be out of date.',
  );
  expect(standing({ lastFailure: FAILURE, lastSyncedAt: 1_000 })).toMatchObject({
    mood: 'waiting',
    short: 'Could not fetch',
  });
  expect(sentence({ lastFailure: { code: 'remote/unauthorised', status: 401, at: 1 } })).toContain(
    'no longer accepts your sign-in',
  );
});

test('a failure from before the last fetch is over', () => {
  expect(missing({ lastFailure: FAILURE, lastSyncedAt: 3_000 })).toBeNull();
});

test('what waits to be sent, or a device that is cut off, says so already', () => {
  const pending = { ...EMPTY.pending, high: 1 };
  expect(missing({ lastFailure: FAILURE, lastSyncedAt: 1_000, pending })).toBeNull();
  expect(missing({ lastFailure: FAILURE, lastSyncedAt: 1_000 }, false)).toBeNull();
  const offline = { code: 'remote/offline', at: 2_000 };
  expect(missing({ lastFailure: offline, lastSyncedAt: 1_000 })).toBeNull();
});

test('but not that nothing was ever fetched', () => {
  const pending = { ...EMPTY.pending, high: 1 };
  expect(sentence({ lastFailure: FAILURE, pending })).toContain('may be incomplete');
  expect(sentence({}, false)).toContain('no connection to the server');
  expect(sentence({ blockedBy: { reason: 'paused', until: null } })).toContain('sync is paused');
});
