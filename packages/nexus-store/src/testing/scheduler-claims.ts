import type { ScheduleRequest, ScheduleResult } from '../core/ports/platform-scheduler.ts';
import { NETWORKS, SWITCHES } from './scheduler-bench.ts';
import type { Law, SchedulerBench } from './scheduler-bench.ts';

// Each capability is a claim, and each claim is tested both ways: what is claimed works, and what is not
// claimed is refused or declared as weakened, never quietly dropped.

const HOUR_MS = 3_600_000;

export function testClaims(law: Law): void {
  testKinds(law);
  testConstraints(law);
  testNetworkTypes(law);
  testExpedited(law);
  testFigures(law);
  testSharing(law);
  testResults(law);
  testKill(law);
}

function testKinds(law: Law): void {
  for (const kind of ['once', 'periodic'] as const) {
    law(`the claim about ${kind} requests is true`, async (bench) => {
      const request = kind === 'once' ? {} : { kind, intervalMs: bench.intervalMs };
      bench.listen(() => 'success');

      const result = await bench.schedule(request);
      await bench.wait(bench.intervalMs);

      bench.expect(result.ok).toBe(bench.can(kind));
      bench.expect(bench.wakeUps.length > 0).toBe(bench.can(kind));
      if (!result.ok) {
        bench.expect(result.code).toBe('schedule/unsupported');
        bench.expect(await bench.pendingIds()).toEqual([]);
      }
    });
  }
}

function testConstraints(law: Law): void {
  for (const constraint of SWITCHES) {
    law(`the claim about ${constraint} is true`, async (bench) => {
      if (!bench.can('once')) return;
      const constraints = { [constraint]: true };
      if (!bench.capabilities.constraints.includes(constraint)) {
        await expectDeclared(bench, { constraints }, `constraints.${constraint}`);
        return;
      }
      await bench.harness.setMet(constraint, false);
      bench.listen(() => 'success');
      const result = await bench.accepted({ constraints, taskKind: 'processing' });
      await expectHeldBack(bench, result, () => bench.harness.setMet(constraint, true));
    });
  }
}

function testNetworkTypes(law: Law): void {
  for (const networkType of ['connected', 'unmetered', 'not-roaming', 'metered'] as const) {
    law(`the claim about the network type ${networkType} is true`, async (bench) => {
      if (!bench.can('once')) return;
      const constraints = { networkType };
      const { capabilities, harness } = bench;
      const isClaimed =
        capabilities.constraints.includes('networkType') &&
        capabilities.networkTypes.includes(networkType);
      if (!isClaimed) {
        await expectDeclared(bench, { constraints }, 'constraints.networkType');
        return;
      }
      const [unmet, met] = NETWORKS[networkType];
      await harness.setNetwork(unmet);
      bench.listen(() => 'success');
      const result = await bench.accepted({ constraints, taskKind: 'processing' });
      await expectHeldBack(bench, result, () => harness.setNetwork(met));
    });
  }
}

function testExpedited(law: Law): void {
  law('the claim about expedited requests is true', async (bench) => {
    if (!bench.can('once')) return;
    if (!bench.capabilities.expedited) {
      await expectDeclared(bench, { expedited: true }, 'expedited');
      return;
    }
    bench.listen(() => 'success');

    const result = await bench.accepted({ expedited: true });
    await bench.wait();

    bench.expect(result.weakened).toEqual([]);
    bench.expect(bench.wakeUps.length).toBe(1);
  });

  law('what an expedited request may not ask for is refused', async (bench) => {
    if (!bench.can('once') || !bench.capabilities.expedited) return;
    const refused: Partial<ScheduleRequest>[] = [
      { earliestBeginAt: bench.harness.now() + HOUR_MS },
      { constraints: { requiresCharging: true } },
      { constraints: { requiresBatteryNotLow: true } },
      { constraints: { requiresDeviceIdle: true } },
      { kind: 'periodic', intervalMs: bench.intervalMs },
    ];

    for (const request of refused) {
      const result = await bench.schedule({ ...request, expedited: true });
      bench.expect(result).toMatchObject({ ok: false, code: 'schedule/invalid' });
    }
    bench.expect(await bench.pendingIds()).toEqual([]);
  });
}

function testFigures(law: Law): void {
  law(
    'an interval below the claimed minimum is raised to it, and this is declared',
    async (bench) => {
      const { minIntervalMs } = bench.capabilities;
      if (!bench.can('periodic') || minIntervalMs <= 1) return;

      const result = await bench.accepted({ kind: 'periodic', intervalMs: 1 });

      const raised = result.weakened.filter(({ field }) => field === 'intervalMs');
      bench.expect(raised).toEqual([{ field: 'intervalMs', asked: 1, got: minIntervalMs }]);
    },
  );

  law('a periodic request does not run more often than its interval', async (bench) => {
    if (!bench.can('periodic')) return;
    const begins: number[] = [];
    bench.scheduler.onWakeUp((wakeUp) => {
      begins.push(bench.harness.now());
      wakeUp.complete('success');
    });
    await bench.accepted({ kind: 'periodic', intervalMs: bench.intervalMs });

    for (let period = 0; period < 4; period++) await bench.wait(bench.intervalMs);

    const gaps = begins.slice(1).map((begin, index) => begin - (begins[index] as number));
    bench.expect(gaps.length > 0).toBe(true);
    bench.expect(gaps.filter((gap) => gap < bench.intervalMs)).toEqual([]);
  });
}

function testSharing(law: Law): void {
  law('the claim about ids that share one worker is true', async (bench) => {
    if (!bench.can('once')) return;
    bench.listen(() => 'success');
    // One short and one long task: iOS has one place for short ones.
    await bench.accepted({ id: 'first' });
    await bench.accepted({ id: 'second', taskKind: 'processing' });

    await bench.wait();

    const ids = bench.wakeUps.map((wakeUp) => wakeUp.id).sort();
    if (bench.capabilities.idsShareOneWorker) bench.expect(ids.length).toBe(1);
    else bench.expect(ids).toEqual(['first', 'second']);
  });
}

function testResults(law: Law): void {
  law('the claim that results are honoured is true', async (bench) => {
    if (!bench.can('once')) return;
    bench.listen((_, index) => (index < 2 ? 'retry' : 'success'));
    const backoff = { policy: 'linear', initialMs: 60_000 } as const;
    await bench.accepted({ backoff });

    await bench.wait();
    for (let attempt = 1; attempt <= 3; attempt++) await bench.wait(attempt * 60_000);

    const attempts = bench.wakeUps.map((wakeUp) => wakeUp.attempt);
    bench.expect(attempts).toEqual(bench.capabilities.resultHonoured ? [1, 2, 3] : [1]);
    bench.expect(await bench.pendingIds()).toEqual([]);
  });

  law('a retry waits for its backoff', async (bench) => {
    if (!bench.can('once') || !bench.capabilities.resultHonoured) return;
    bench.listen(() => 'retry');
    await bench.accepted({ backoff: { policy: 'linear', initialMs: 6 * HOUR_MS } });
    await bench.firstWakeUp();

    await bench.harness.advance(4 * HOUR_MS); // no host may cap a backoff below this

    bench.expect(bench.wakeUps.length).toBe(1);
  });
}

function testKill(law: Law): void {
  law('the claim that requests survive the process is true', async (bench) => {
    if (!bench.can('once')) return;
    await bench.accepted({ earliestBeginAt: bench.harness.now() + HOUR_MS });

    bench.scheduler = await bench.harness.restart();
    bench.listen(() => 'success');
    const pending = await bench.pendingIds();
    await bench.wait(HOUR_MS);

    const { survivesKill } = bench.capabilities;
    bench.expect(pending).toEqual(survivesKill ? ['sync'] : []);
    bench.expect(bench.wakeUps.length).toBe(survivesKill ? 1 : 0);
  });

  law(
    'a run that dies with its process is followed by another, if requests survive',
    async (bench) => {
      if (!bench.can('once') || !bench.capabilities.survivesKill) return;
      bench.listen();
      await bench.accepted();
      const dead = await bench.firstWakeUp();

      bench.scheduler = await bench.harness.restart();
      bench.listen(() => 'success');
      dead.complete('failure'); // nobody hears a dead process
      await bench.wait(60_000);

      bench.expect(bench.wakeUps.map((wakeUp) => wakeUp.attempt)).toEqual([1, 2]);
      bench.expect(await bench.pendingIds()).toEqual([]);
    },
  );
}

/** What a host does not claim it refuses, or names among what it weakened. */
async function expectDeclared(
  bench: SchedulerBench,
  request: Partial<ScheduleRequest>,
  field: string,
): Promise<void> {
  const result = await bench.schedule(request);
  if (result.ok) {
    const names = result.weakened.map((weakened) => weakened.field);
    bench.expect(names).toEqual([field]);
  } else {
    bench.expect(['schedule/invalid', 'schedule/unsupported'].includes(result.code)).toBe(true);
  }
}

async function expectHeldBack(
  bench: SchedulerBench,
  result: ScheduleResult & { readonly ok: true },
  meet: () => Promise<void>,
): Promise<void> {
  await bench.wait();
  const heldBack = bench.wakeUps.length;
  await meet();
  await bench.wait();

  bench.expect(result.weakened).toEqual([]);
  bench.expect([heldBack, bench.wakeUps.length]).toEqual([0, 1]);
}
