// The TypeScript model of both mappings against the cases that the Kotlin and the Swift tests read.
import { readFileSync } from 'node:fs';
import type { ScheduleRequest } from 'nexus-store';
import {
  ANDROID_STOP_REASON,
  backoffMs,
  iosErrorCode,
  mapAndroidRequest,
  mapIosRequest,
  nextRunAt,
  portStopReason,
} from 'nexus-store/testing';
import type { AndroidStopReason, Mapping, WorkRequest } from 'nexus-store/testing';
import { describe, expect, test } from 'vitest';
import { hostResult } from './fake/host-result.ts';
import { requestRefusal } from './request-refusal.ts';

interface Cases {
  readonly requests: readonly {
    readonly name: string;
    readonly request: ScheduleRequest;
    readonly countedFrom: number;
    readonly android: { readonly refused?: string };
    readonly ios: { readonly refused?: string };
  }[];
  readonly backoff: readonly {
    readonly policy: 'exponential' | 'linear';
    readonly baseMs: number;
    readonly attempts: number;
    readonly waitMs: number;
  }[];
  readonly nextRuns: readonly {
    readonly name: string;
    readonly work: WorkRequest;
    readonly progress: {
      readonly lastEnqueuedAt: number | null;
      readonly attempts: number;
      readonly periods: number;
    };
    readonly dueAt: number | null;
  }[];
  readonly androidStopReasons: Readonly<Record<string, string>>;
  readonly iosErrors: readonly { readonly nativeCode: number; readonly code: string }[];
  readonly hostResults: readonly {
    readonly verdict: string | null;
    readonly attempt: number;
    readonly hasSuccessor: boolean;
    readonly result: string;
  }[];
}

const file = new URL('../mapping-cases.json', import.meta.url);
const cases = JSON.parse(readFileSync(file, 'utf8')) as Cases;

function described(mapping: Mapping<unknown>): unknown {
  if (!mapping.ok) return { refused: mapping.message };
  const weakened = mapping.weakened.map(({ field, asked, got = null }) => ({ field, asked, got }));
  return { native: mapping.native, weakened };
}

describe.each(cases.requests)('$name', ({ request, countedFrom, android, ios }) => {
  test('is mapped on Android as the case says', () => {
    expect(described(mapAndroidRequest(request, countedFrom))).toEqual(android);
  });

  test('is mapped on iOS as the case says', () => {
    expect(described(mapIosRequest(request, countedFrom))).toEqual(ios);
  });

  test('is refused before the native call if neither system takes it', () => {
    const isRefused = android.refused !== undefined && ios.refused !== undefined;
    expect(requestRefusal(request)).toBe(isRefused ? android.refused : undefined);
  });
});

test.each(cases.backoff)('backoff $policy $baseMs × $attempts', (backoff) => {
  const { policy, baseMs, attempts, waitMs } = backoff;

  expect(backoffMs(policy, baseMs, attempts)).toBe(waitMs);
});

test.each(cases.nextRuns)('next run: $name', ({ work, progress, dueAt }) => {
  const lastEnqueuedAt = progress.lastEnqueuedAt ?? undefined;

  expect(nextRunAt(work, { ...progress, lastEnqueuedAt })).toBe(dueAt ?? Infinity);
});

test.each(Object.keys(ANDROID_STOP_REASON))('the stop reason %s', (name) => {
  expect(portStopReason(name as AndroidStopReason)).toBe(cases.androidStopReasons[name]);
});

test.each(cases.iosErrors)('BGTaskScheduler.Error $nativeCode', ({ nativeCode, code }) => {
  expect(iosErrorCode(nativeCode)).toBe(code);
});

test.each(cases.hostResults)('the verdict $verdict at attempt $attempt', (one) => {
  expect(hostResult(one.verdict, one.attempt, one.hasSuccessor)).toBe(one.result);
});
