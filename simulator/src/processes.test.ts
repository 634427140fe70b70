import { expect, test } from 'vitest';
import { runTrial } from './processes/trial.ts';

const LEASE_MS = 2_500;

test('several processes on one file, one of them killed while it sends', async () => {
  const result = await runTrial({
    processes: 3,
    writeMs: 6_000,
    killEveryMs: 3_500,
    leaseMs: LEASE_MS,
    requestTimeoutMs: 1_500,
    everyMs: 15,
    seed: 1,
  });

  expect(result.faults).toEqual([]);
  expect(result.takeoverMs.length).toBeGreaterThanOrEqual(1);
  // Whoever takes over wakes when the lease ends; the rest is the time of a loaded machine.
  for (const tookMs of result.takeoverMs) expect(tookMs).toBeLessThan(LEASE_MS + 2_000);
  for (const { saved, wroteMs, maxMs } of result.fares) {
    // One that was started at the very end has hardly written.
    if (wroteMs > 2_000) expect(saved).toBeGreaterThan(10);
    expect(maxMs).toBeLessThan(5_000);
  }
}, 60_000);
