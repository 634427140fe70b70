import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { groupBy } from './group-by.ts';
import type { SimOptions } from './options.ts';
import { ask, type SeedFailure } from './worker.ts';

/** Seeds a worker is given at a time. */
const BATCH = 10;
/** So many failures are shrunk and told at length; of the others the seed. */
const TOLD = 3;
const PROGRESS_MS = 10_000;

interface Tally {
  next: number;
  readonly end: number;
  done: number;
  commits: number;
  readonly failures: SeedFailure[];
  readonly startedAt: number;
  toldAt: number;
}

/** Runs seeds in several processes. True if all were clean. */
export async function runSeeds(options: SimOptions): Promise<boolean> {
  const first = options.seed ?? 1;
  const startedAt = performance.now();
  const tally: Tally = {
    next: first,
    end: first + (options.seeds ?? 100),
    done: 0,
    commits: 0,
    failures: [],
    startedAt,
    toldAt: startedAt,
  };
  const workers = Array.from({ length: Math.max(1, options.workers) }, () => startWorker());
  try {
    await Promise.all(workers.map((worker) => feed(worker, tally, options)));
    await tell(workers[0] as ChildProcess, tally);
  } finally {
    for (const worker of workers) worker.disconnect();
  }
  return tally.failures.length === 0;
}

function startWorker(): ChildProcess {
  const args = [...process.argv.slice(2), '--worker'];
  return fork(join(import.meta.dirname, 'main.ts'), args, {
    execArgv: ['--conditions=nexus-source'],
  });
}

async function feed(worker: ChildProcess, tally: Tally, options: SimOptions): Promise<void> {
  while (tally.next < tally.end) {
    if (options.stopsAtFirst && tally.failures.length > 0) return;
    const from = tally.next;
    const to = Math.min(from + BATCH, tally.end);
    tally.next = to;
    const reply = await ask(worker, { kind: 'run', from, to });
    if (reply.kind !== 'ran') throw new TypeError('a worker answered something else');
    tally.done += to - from;
    tally.commits += reply.commits;
    tally.failures.push(...reply.failures);
    if (performance.now() - tally.toldAt < PROGRESS_MS) continue;
    tally.toldAt = performance.now();
    console.log(summary(tally));
  }
}

async function tell(worker: ChildProcess, tally: Tally): Promise<void> {
  const { failures } = tally;
  const byRule = groupBy(
    failures.toSorted((a, b) => a.seed - b.seed),
    ({ rule }) => rule,
  );
  for (const [rule, some] of byRule) {
    console.log(
      `${rule}: ${some.length} seeds, ${some
        .slice(0, 20)
        .map(({ seed }) => seed)
        .join(' ')}`,
    );
  }
  for (const [rule, some] of [...byRule].slice(0, TOLD)) {
    const { seed, message } = some[0] as SeedFailure;
    const reply =
      rule === 'determinism' ? undefined : await ask(worker, { kind: 'describe', seed });
    console.log(reply?.kind === 'described' ? `\n${reply.text}` : `\nseed ${seed}: ${message}`);
  }
  console.log(summary(tally));
}

function summary({ done, commits, failures, startedAt }: Tally): string {
  const seconds = (performance.now() - startedAt) / 1_000;
  const speed = seconds === 0 ? 0 : done / seconds;
  return `${done} seeds, ${failures.length} failed, ${commits} commits, ${seconds.toFixed(1)} s (${speed.toFixed(1)} seeds a second)`;
}
