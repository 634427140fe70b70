import { describe, expect, test } from 'vitest';
import { BackgroundSyncStatus, path, transition } from './background-sync-status.ts';

const ALL = Object.values(BackgroundSyncStatus);

describe('the status of background sync', () => {
  test('has the five values of the specification', () => {
    expect(ALL).toEqual(['idle', 'scheduled', 'running', 'completed', 'failed']);
  });

  test('changes by the table and in no other way', () => {
    const allowed = ALL.flatMap((from) =>
      ALL.filter((to) => {
        try {
          return transition(from, to) === to;
        } catch {
          return false;
        }
      }).map((to) => `${from} -> ${to}`),
    );

    expect(allowed).toEqual([
      'idle -> scheduled',
      'scheduled -> idle',
      'scheduled -> running',
      'running -> completed',
      'running -> failed',
      'completed -> idle',
      'completed -> scheduled',
      'failed -> idle',
      'failed -> scheduled',
    ]);
  });

  test('reaches every value from every other, by allowed steps', () => {
    for (const from of ALL) {
      for (const to of ALL) {
        const steps = path(from, to);
        let status = from;
        for (const step of steps) status = transition(status, step);
        expect(status).toBe(to);
      }
    }
  });
});
