import { describe, expect, test } from 'vitest';
import type { SyncEvent } from '../../core/model/events.ts';
import { INITIAL_STATUS } from '../../core/sync/sync-status.ts';
import { ActivityLog } from './activity.ts';
import { eventWords, headlineOf, reasonsOf, span } from './words.ts';

const failure = { code: 'remote/server', status: 500, at: 1_000 };
const applied = (entityId: string): SyncEvent => ({
  type: 'entry-applied',
  entryId: 'e1',
  collection: 'notes',
  entityId,
  version: null,
  waitedMs: 1_250,
});
const buried: SyncEvent = {
  type: 'entry-buried',
  entryId: 'e1',
  collection: 'notes',
  entityId: 'a',
  priority: 'normal',
  failure,
};

describe('the activity log', () => {
  test('tells what happens many times in a row as one line, and counts all of it', () => {
    const log = new ActivityLog();
    for (let at = 0; at < 5_000; at += 1) log.add(applied(`n${at}`), at);
    log.add(buried, 5_000);

    const [newest, ...rest] = log.newest(10);

    expect(newest).toMatchObject({ event: buried, times: 1 });
    expect(rest).toMatchObject([{ event: { entityId: 'n4999' }, times: 5_000, at: 4_999 }]);
  });

  test('stays bounded whatever happens, and counts outcomes by the second', () => {
    const log = new ActivityLog();
    for (let second = 0; second < 3_000; second += 1) {
      log.add(applied('a'), second * 1_000);
      log.add(buried, second * 1_000 + 1);
    }

    const pulses = log.pulses(2_999_000);

    expect(log.newest(100_000).length).toBeLessThanOrEqual(400);
    expect(pulses).toHaveLength(60);
    expect(pulses.at(-1)).toEqual({ second: 2_999, applied: 1, retried: 0, buried: 1 });
  });
});

describe('the words of the inspector', () => {
  test('say the one unit that says most', () => {
    expect([12, 1_250, 61_000, 7_200_000, 172_800_000].map(span)).toEqual([
      '12 ms',
      '1.2 s',
      '1 min',
      '2 h',
      '2 d',
    ]);
  });

  test('name an event without its payload', () => {
    expect(eventWords(applied('a'))).toEqual({
      tone: 'good',
      what: 'Arrived',
      about: 'notes/a · after 1.2 s',
    });
    expect(eventWords(buried).about).toBe('notes/a · 500 remote/server');
  });

  test('say how it stands, and why', () => {
    const status = { ...INITIAL_STATUS, phase: 'idle' } as const;
    const waiting = { ...status.pending, high: 2 };
    const blockedBy = { reason: 'offline', until: 9_000 } as const;

    expect(headlineOf(INITIAL_STATUS, 0).title).toBe('Closed');
    expect(headlineOf(status, 0).title).toBe('All synced');
    expect(reasonsOf(status, 0)).toEqual(['All synced. Everything written here is on the server.']);
    expect(
      headlineOf({ ...status, pending: waiting, blockedBy, nextAttemptAt: 9_000 }, 4_000),
    ).toEqual({
      mood: 'waiting',
      title: 'Offline',
      detail: '2 entries waiting, next attempt in 5 s',
    });
    expect(
      reasonsOf({ ...status, pending: waiting, blockedBy, dead: 1, lastFailure: failure }, 4_000),
    ).toEqual([
      'The server could not be reached; the next attempt is in 5 s.',
      'The last attempt failed: 500 remote/server, 3 s ago.',
      '1 dead letter: retry or discard, nothing goes again by itself.',
    ]);
  });
});
