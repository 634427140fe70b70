import { describe, expect, test } from 'vitest';
import { DEFAULT_BACKOFF } from '../queue/backoff.ts';
import { afterLesson, askedToWaitUntil, GATE_SHUT, gateUntil, type GateLesson } from './gate.ts';

const failed = (at: number, retryAfterMs?: number): GateLesson => ({
  kind: 'failed',
  endpoint: {
    failure: { code: 'remote/server', status: 503, at },
    retryAfterMs,
    block: null,
    isOffline: false,
  },
  at,
  jitter: 0,
  counts: true,
});

describe('a wish to wait in the gate', () => {
  test('is not shortened by an older lesson that is stored after it', () => {
    const newer = afterLesson(GATE_SHUT, failed(5_000, 60_000), 0, DEFAULT_BACKOFF, 5_000);

    const both = afterLesson(newer, failed(4_000, 10_000), 0, DEFAULT_BACKOFF, 30_000);

    expect(askedToWaitUntil(both, 30_000)).toBe(65_000);
    expect(gateUntil(both, 30_000)).toBe(65_000);
  });

  test('outlives a success of a request beside it, and nothing else of the gate does', () => {
    const asked = afterLesson(GATE_SHUT, failed(5_000, 60_000), 0, DEFAULT_BACKOFF, 5_000);

    const after = afterLesson(asked, { kind: 'works', by: 'push' }, 0, DEFAULT_BACKOFF, 6_000);

    expect(askedToWaitUntil(after, 6_000)).toBe(65_000);
    expect(after).toMatchObject({ failures: 0, failure: null });
  });

  test('that was over is not kept', () => {
    const asked = afterLesson(GATE_SHUT, failed(5_000, 60_000), 0, DEFAULT_BACKOFF, 5_000);

    const later = afterLesson(asked, failed(100_000), 0, DEFAULT_BACKOFF, 100_000);

    expect(askedToWaitUntil(later, 100_000)).toBeNull();
    expect(gateUntil(later, 100_000)).toBe(100_250);
  });
});
