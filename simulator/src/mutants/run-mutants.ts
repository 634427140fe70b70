import { fork, type ChildProcess } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generatePlan } from '../plan/generate.ts';
import { runPlan } from '../run.ts';
import { ask, type Order, type SeedFailure } from '../worker.ts';
import { MUTANTS, type Mutant } from './mutants.ts';
import { plant } from './plant.ts';

/** Every bug is to be found within so many seeds. */
const MAX_SEEDS = 500;
const BATCH = 10;
const OPS = 300;
const AT_ONCE = 2;
const FILE = join(import.meta.dirname, '..', '..', 'caught.json');

interface Catch {
  readonly seed: number;
  readonly rule: string;
  /** How many seeds it took. */
  readonly tries: number;
}

/**
 * Plants bugs, one at a time, and lets the simulator look for them.
 *
 * @param which `all`, `sample` (each with the seed that is known to catch it), or the name of one
 * @param ignored rules that are known to be broken without a mutant
 * @returns true if each was caught
 */
export async function runMutants(which: string, ignored: readonly string[]): Promise<boolean> {
  const known = JSON.parse(await readFile(FILE, 'utf8')) as Record<string, Catch>;
  const isSample = which === 'sample';
  const wanted = MUTANTS.filter(({ name }) => which === 'all' || isSample || name === which);
  const caught: Record<string, Catch> = {};
  const queue = [...wanted];
  const startedAt = performance.now();
  const work = async (): Promise<void> => {
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
      const { name } = mutant;
      const first = isSample ? known[name]?.seed : undefined;
      const found = await hunt(mutant, first, ignored);
      if (found !== undefined) caught[name] = found;
      console.log(found === undefined ? `MISSED  ${name}` : `caught  ${name}: ${describe(found)}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const count = Object.keys(caught).length;
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  console.log(`${count} of ${wanted.length} mutants caught, ${seconds} s`);
  if (which === 'all') await writeFile(FILE, `${JSON.stringify(caught, null, 2)}\n`);
  return wanted.length > 0 && count === wanted.length;
}

function describe({ seed, rule, tries }: Catch): string {
  return `"${rule}" with seed ${seed} (${tries} seeds)`;
}

async function hunt(
  mutant: Mutant,
  first: number | undefined,
  ignored: readonly string[],
): Promise<Catch | undefined> {
  const folder = await plant(mutant);
  const worker = startWorker(folder, ignored);
  try {
    if (first !== undefined) {
      const found = await tryRange(worker, first, first + 1, ignored);
      if (found !== undefined) return { ...found, tries: 1 };
    }
    // The code has changed since, and with it what a seed stands for.
    for (let from = 1; from <= MAX_SEEDS; from += BATCH) {
      const found = await tryRange(worker, from, Math.min(from + BATCH, MAX_SEEDS + 1), ignored);
      if (found !== undefined) return { ...found, tries: found.seed };
    }
    return undefined;
  } finally {
    worker.kill();
    await rm(folder, { recursive: true, force: true });
  }
}

async function tryRange(
  worker: ChildProcess,
  from: number,
  to: number,
  ignored: readonly string[],
): Promise<{ seed: number; rule: string } | undefined> {
  const order: Order = { kind: 'run', from, to };
  const reply = await ask(worker, order);
  if (reply.kind !== 'ran') return undefined;
  for (const failure of reply.failures) if (await isMutantsFault(failure, ignored)) return failure;
  return undefined;
}

/** A seed that fails without the bug as well says nothing. */
async function isMutantsFault({ seed }: SeedFailure, ignored: readonly string[]): Promise<boolean> {
  const { violation } = await runPlan(generatePlan(seed, OPS), { ignored });
  return violation === undefined;
}

function startWorker(folder: string, ignored: readonly string[]): ChildProcess {
  const args = ['--worker', '--ops', String(OPS), '--ignore', ignored.join()];
  return fork(join(folder, 'simulator', 'src', 'main.ts'), args, {
    execArgv: ['--conditions=nexus-source'],
    cwd: folder,
  });
}
