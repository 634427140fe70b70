import type { ScheduleRequest } from '../core/ports/platform-scheduler.ts';
import { SchedulerBench } from './scheduler-bench.ts';
import type { Law, SchedulerHarness } from './scheduler-bench.ts';
import { testClaims } from './scheduler-claims.ts';
import { requireSuite } from './option-kinds.ts';
import type { TestFunctions } from './test-functions.ts';

export type { SchedulerHarness } from './scheduler-bench.ts';

/**
 * The law of the `PlatformScheduler` port as tests, to be run over every scheduler. What a host can do is
 * read from its capabilities, and each claim is checked. A host that schedules nothing has no kinds.
 */
export function testPlatformScheduler(
  name: string,
  createHarness: () => Promise<SchedulerHarness>,
  functions: TestFunctions,
): void {
  requireSuite('testPlatformScheduler', name, createHarness, functions);
  functions.describe(name, () => {
    const law: Law = (title, body) =>
      functions.test(title, async () => {
        const harness = await createHarness();
        try {
          await body(new SchedulerBench(harness, functions.expect));
        } finally {
          await harness.close();
        }
      });
    testClaims(law);
    testRefusals(law);
    testIds(law);
    testExisting(law);
    testRuns(law);
    testCompletion(law);
    testWindow(law);
  });
}

function testRefusals(law: Law): void {
  const contradictions: Readonly<Record<string, Partial<ScheduleRequest>>> = {
    'an empty id': { id: '' },
    'periodic work without an interval': { kind: 'periodic' },
    'an interval that is no number': { kind: 'periodic', intervalMs: Number.NaN },
    'a negative interval': { kind: 'periodic', intervalMs: -1 },
    'a one-off with an interval': { intervalMs: 3_600_000 },
  };
  for (const [what, request] of Object.entries(contradictions)) {
    law(`${what} is refused as a value and changes nothing`, async (bench) => {
      const result = await bench.schedule(request);

      const isAnyKindSupported = bench.capabilities.kinds.length > 0;
      const code = isAnyKindSupported ? 'schedule/invalid' : 'schedule/unsupported';
      bench.expect(result).toMatchObject({ ok: false, code });
      bench.expect(await bench.pendingIds()).toEqual([]);
    });
  }
}

function testIds(law: Law): void {
  law('nothing is pending at first, and there is nothing to cancel', async (bench) => {
    bench.expect(await bench.pendingIds()).toEqual([]);
    bench.expect(await bench.scheduler.cancel('sync')).toBe(false);
  });

  law('a request that was accepted is pending until it is cancelled', async (bench) => {
    if (!bench.can('once')) return;
    bench.listen();
    await bench.accepted({ earliestBeginAt: bench.harness.now() + 3_600_000 });
    const pending = await bench.pendingIds();

    const cancelled = [await bench.scheduler.cancel('sync'), await bench.scheduler.cancel('sync')];
    await bench.wait(3_600_000);

    bench.expect(pending).toEqual(['sync']);
    bench.expect(cancelled).toEqual([true, false]);
    bench.expect(bench.wakeUps.length).toBe(0);
  });

  law('at most one request is pending for an id', async (bench) => {
    if (!bench.can('once')) return;
    const earliestBeginAt = bench.harness.now() + 3_600_000;
    for (const existing of ['update', 'replace', 'keep'] as const) {
      await bench.accepted({ earliestBeginAt, existing });
    }

    bench.expect(await bench.pendingIds()).toEqual(['sync']);
  });
}

function testExisting(law: Law): void {
  const HOUR_MS = 3_600_000;

  law('keep leaves the pending request as it is', async (bench) => {
    if (!bench.can('once')) return;
    bench.listen(() => 'success');
    await bench.accepted({ earliestBeginAt: bench.harness.now() + 100 * HOUR_MS });

    const result = await bench.accepted({ existing: 'keep' });
    await bench.wait();

    bench.expect(result.effect).toBe('kept');
    bench.expect(bench.wakeUps.length).toBe(0);
  });

  for (const existing of ['replace', 'update'] as const) {
    law(`${existing} makes the new request count`, async (bench) => {
      if (!bench.can('once')) return;
      bench.listen(() => 'success');
      await bench.accepted({ earliestBeginAt: bench.harness.now() + 100 * HOUR_MS });

      const result = await bench.accepted({ existing });
      await bench.wait();

      bench.expect(result.effect).toBe(existing === 'replace' ? 'replaced' : 'updated-now');
      bench.expect(bench.wakeUps.length).toBe(1);
    });
  }

  law('an update keeps the earliest begin a floor, however late it comes', async (bench) => {
    if (!bench.can('once')) return;
    bench.listen(() => 'success');
    await bench.accepted({ earliestBeginAt: bench.harness.now() + 2 * HOUR_MS });
    await bench.harness.advance(HOUR_MS);
    const floor = bench.harness.now() + 2 * HOUR_MS;

    await bench.accepted({ earliestBeginAt: floor });
    await bench.harness.advance(2 * HOUR_MS - 1);
    const early = bench.wakeUps.length;
    await bench.wait(1);

    bench.expect([early, bench.wakeUps.length]).toEqual([0, 1]);
  });

  law('an update of the kind is invalid and leaves the old request', async (bench) => {
    if (!bench.can('once') || !bench.can('periodic')) return;
    await bench.accepted({ earliestBeginAt: bench.harness.now() + HOUR_MS });
    const before = await bench.scheduler.pending();

    const result = await bench.schedule({ kind: 'periodic', intervalMs: bench.intervalMs });

    bench.expect(result).toMatchObject({ ok: false, code: 'schedule/invalid' });
    bench.expect(await bench.scheduler.pending()).toEqual(before);
  });

  law('replace ends a run, whose late completion then changes nothing', async (bench) => {
    if (!bench.can('once')) return;
    bench.listen();
    await bench.accepted();
    const old = await bench.firstWakeUp();

    const result = await bench.accepted({ existing: 'replace' });
    const reason: unknown = old.signal.reason;
    old.complete('success');
    await bench.until(() => bench.wakeUps.length === 2);

    bench.expect([result.effect, reason]).toEqual(['replaced', 'cancelled']);
    bench.expect(await bench.pendingIds()).toEqual(['sync']);
  });

  law('an id that is scheduled again while it runs runs again', async (bench) => {
    if (!bench.can('once')) return;
    bench.listen();
    await bench.accepted();
    const old = await bench.firstWakeUp();

    const result = await bench.accepted();
    const isAborted = old.signal.aborted;
    old.complete('success');
    await bench.until(() => bench.wakeUps.length === 2);

    bench.expect([result.effect, isAborted]).toEqual(['updated-next-run', false]);
  });
}

function testRuns(law: Law): void {
  law('a one-off wakes the app once', async (bench) => {
    if (!bench.can('once')) return;
    bench.listen(() => 'success');
    await bench.accepted();

    await bench.wait();
    await bench.wait();

    bench.expect(bench.wakeUps.length).toBe(1);
    bench.expect(bench.wakeUps[0]).toMatchObject({ id: 'sync', attempt: 1, reason: 'scheduled' });
    bench.expect(await bench.pendingIds()).toEqual([]);
  });

  law('nothing runs before its earliest begin', async (bench) => {
    if (!bench.can('once')) return;
    bench.listen(() => 'success');
    await bench.accepted({ earliestBeginAt: bench.harness.now() + 7_200_000 });

    await bench.harness.advance(7_200_000 - 1);
    const early = bench.wakeUps.length;
    await bench.wait(1);

    bench.expect([early, bench.wakeUps.length]).toEqual([0, 1]);
  });

  law('a wake-up that comes before the inbox is bound is held for it', async (bench) => {
    if (!bench.can('once')) return;
    await bench.accepted();
    await bench.until(async () => (await bench.scheduler.pending())[0]?.state === 'running');

    bench.listen(() => 'success');

    bench.expect(bench.wakeUps.map((wakeUp) => wakeUp.id)).toEqual(['sync']);
  });

  law('a periodic request comes again, each time as a run of its own', async (bench) => {
    if (!bench.can('periodic')) return;
    bench.listen(() => 'success');
    await bench.accepted({ kind: 'periodic', intervalMs: bench.intervalMs });

    for (let period = 0; period < 3; period++) await bench.wait(bench.intervalMs);

    bench.expect(bench.wakeUps.length >= 3).toBe(true);
    bench
      .expect(new Set(bench.wakeUps.map((wakeUp) => wakeUp.runId)).size)
      .toBe(bench.wakeUps.length);
    bench.expect(await bench.pendingIds()).toEqual(['sync']);
  });

  law('a periodic request survives a run that fails', async (bench) => {
    if (!bench.can('periodic')) return;
    bench.listen(() => 'failure');
    await bench.accepted({ kind: 'periodic', intervalMs: bench.intervalMs });

    for (let period = 0; period < 2; period++) await bench.wait(bench.intervalMs);

    bench.expect(bench.wakeUps.length >= 2).toBe(true);
  });

  law('cancelling a running request aborts its run and ends it', async (bench) => {
    if (!bench.can('once')) return;
    bench.listen();
    await bench.accepted();
    const run = await bench.firstWakeUp();

    const isCancelled = await bench.scheduler.cancel('sync');
    const reason: unknown = run.signal.reason;
    run.complete('retry');
    await bench.wait(60_000);

    bench.expect([isCancelled, reason, bench.wakeUps.length]).toEqual([true, 'cancelled', 1]);
    bench.expect(await bench.pendingIds()).toEqual([]);
  });
}

function testCompletion(law: Law): void {
  for (const [first, second] of [
    ['success', 'retry'],
    ['failure', 'retry'],
  ] as const) {
    law(`only the first completion counts: ${first}, then ${second}`, async (bench) => {
      if (!bench.can('once')) return;
      bench.listen();
      await bench.accepted();
      const run = await bench.firstWakeUp();

      run.complete(first);
      run.complete(second);
      await bench.wait(60_000);

      bench.expect(bench.wakeUps.length).toBe(1);
      bench.expect(await bench.pendingIds()).toEqual([]);
    });
  }
}

function testWindow(law: Law): void {
  law('a wake-up tells when its window ends', async (bench) => {
    if (!bench.can('once')) return;
    const toldMs: number[] = [];
    bench.scheduler.onWakeUp((wakeUp) => {
      toldMs.push(wakeUp.deadline - bench.harness.now());
      wakeUp.complete('success');
    });
    await bench.accepted();

    await bench.wait();

    const [windowMs = Number.NaN] = toldMs;
    bench.expect(windowMs > 0 && windowMs <= bench.capabilities.maxRunMs).toBe(true);
  });

  law('a run that does not end is aborted by its deadline, and another follows', async (bench) => {
    const { maxRunMs } = bench.capabilities;
    if (!bench.can('once') || !Number.isFinite(maxRunMs)) return;
    const abortedAt: number[] = [];
    bench.scheduler.onWakeUp((wakeUp) => {
      const number = bench.wakeUps.push(wakeUp);
      const note = (): number => abortedAt.push(bench.harness.now());
      if (number === 1) wakeUp.signal.addEventListener('abort', note);
    });
    await bench.accepted({ backoff: { policy: 'linear', initialMs: 60_000 } });

    await bench.wait(maxRunMs);
    await bench.wait(60_000 + maxRunMs);

    const [first, second] = bench.wakeUps;
    bench.expect(abortedAt.length).toBe(1);
    bench.expect((abortedAt[0] ?? Infinity) <= (first?.deadline ?? 0)).toBe(true);
    bench.expect(typeof first?.signal.reason).toBe('string');
    bench.expect(second?.id).toBe('sync');
    bench.expect(second?.signal === first?.signal).toBe(false);
  });
}
