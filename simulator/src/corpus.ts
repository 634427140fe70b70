import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Plan } from './plan/operations.ts';
import { runPlan } from './run.ts';

/** A plan that failed once. It is kept whole, so that it stays the same when plans are made differently. */
export interface CorpusEntry {
  /** What was wrong. */
  readonly note: string;
  /** The rule that it broke. */
  readonly rule: string;
  readonly plan: Plan;
}

const FILE = join(import.meta.dirname, '..', 'corpus.json');

export async function readCorpus(): Promise<readonly CorpusEntry[]> {
  return JSON.parse(await readFile(FILE, 'utf8')) as readonly CorpusEntry[];
}

/** Runs every plan that once failed. True if none fails any more. */
export async function runCorpus({
  ignored,
}: {
  readonly ignored: readonly string[];
}): Promise<boolean> {
  const corpus = await readCorpus();
  let failed = 0;
  for (const { note, rule, plan } of corpus) {
    const { violation } = await runPlan(plan, { ignored });
    if (violation === undefined) continue;
    failed += 1;
    console.log(`seed ${plan.seed} fails again (${note}; it broke "${rule}")`);
    console.log(`  ${violation.rule}: ${violation.message}`);
  }
  console.log(`${corpus.length} plans of the corpus, ${failed} failed`);
  return failed === 0;
}

export async function keepInCorpus(plan: Plan, rule: string, note: string): Promise<void> {
  const corpus = await readCorpus();
  const all = [...corpus, { note, rule, plan }];
  await writeFile(FILE, `${JSON.stringify(all, null, 2)}\n`);
  console.log(`kept in the corpus, which has ${all.length} plans now`);
}
