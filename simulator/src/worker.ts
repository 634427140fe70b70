import type { ChildProcess } from 'node:child_process';
import { generatePlan } from './plan/generate.ts';
import type { SimOptions } from './options.ts';
import { describeFailure } from './report.ts';
import { runPlan } from './run.ts';

/** What a worker is asked to do. */
export type Order =
  | { readonly kind: 'run'; readonly from: number; readonly to: number }
  | { readonly kind: 'describe'; readonly seed: number };

export type Reply =
  | {
      readonly kind: 'ran';
      readonly failures: readonly SeedFailure[];
      readonly commits: number;
    }
  | { readonly kind: 'described'; readonly text: string };

export interface SeedFailure {
  readonly seed: number;
  readonly rule: string;
  readonly message: string;
}

/** Every so many seeds one runs twice: both runs must be the same. */
const TWICE_EVERY = 25;

/** Runs the seeds that the parent process asks for, until it lets go. */
export function serveSeeds(options: SimOptions): Promise<boolean> {
  return new Promise((resolve) => {
    process.on('message', (order: Order) => {
      void answer(order, options).then((reply) => process.send?.(reply));
    });
    process.on('disconnect', () => resolve(true));
  });
}

/** Asks a worker for something; one thing at a time. */
export function ask(worker: ChildProcess, order: Order): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void =>
      reject(
        new Error(`a worker ended with code ${code} while it worked on ${JSON.stringify(order)}`),
      );
    worker.once('exit', onExit);
    worker.once('message', (reply: Reply) => {
      worker.off('exit', onExit);
      resolve(reply);
    });
    worker.send(order);
  });
}

async function answer(order: Order, options: SimOptions): Promise<Reply> {
  if (order.kind === 'describe') {
    const failure = await describeFailure(order.seed, options, { isLong: false });
    return { kind: 'described', text: failure?.text ?? `seed ${order.seed} did not fail again` };
  }
  const failures: SeedFailure[] = [];
  let commits = 0;
  for (let seed = order.from; seed < order.to; seed += 1) {
    const result = await runSeed(seed, options);
    commits += result.commits;
    if (result.failure !== undefined) failures.push(result.failure);
    if (failures.length > 0 && options.stopsAtFirst) break;
  }
  return { kind: 'ran', failures, commits };
}

async function runSeed(
  seed: number,
  { ops, ignored, storage }: SimOptions,
): Promise<{ readonly failure: SeedFailure | undefined; readonly commits: number }> {
  const plan = generatePlan(seed, ops, storage);
  const { violation, hash, commits } = await runPlan(plan, { ignored });
  if (violation !== undefined) {
    const { rule, message } = violation;
    return { failure: { seed, rule, message }, commits };
  }
  if (seed % TWICE_EVERY === 0) {
    const again = await runPlan(plan, { ignored });
    if (again.hash !== hash) {
      const message = `two runs of one seed differ: ${hash} and ${again.hash}`;
      return { failure: { seed, rule: 'determinism', message }, commits };
    }
  }
  return { failure: undefined, commits };
}
