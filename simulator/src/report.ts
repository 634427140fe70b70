import { generatePlan } from './plan/generate.ts';
import type { Plan, WorldSettings } from './plan/operations.ts';
import { runPlan } from './run.ts';
import { shrinkPlan } from './shrink.ts';

const MAX_RUNS = 1_200;
const TRACE_LINES = 60;

export interface Failure {
  readonly rule: string;
  /** As few steps as were found to break the same rule. */
  readonly plan: Plan;
  readonly text: string;
}

/** Runs a seed and, if it fails, says how in as few words as can be. */
export async function describeFailure(
  seed: number,
  options: {
    readonly ops: number;
    readonly ignored: readonly string[];
    readonly storage?: WorldSettings['storage'] | undefined;
  },
  { isLong }: { readonly isLong: boolean },
): Promise<Failure | undefined> {
  const { ignored } = options;
  const whole = generatePlan(seed, options.ops, options.storage);
  const { violation } = await runPlan(whole, { ignored });
  if (violation === undefined) return undefined;
  const plan = await shrinkPlan(whole, violation.rule, MAX_RUNS, { ignored });
  const { trace, violation: found = violation } = await runPlan(plan, { ignored, isTraced: true });
  const end = trace.findIndex((line) => line.includes('VIOLATION')) + 1;
  const told = trace
    .slice(0, end === 0 ? trace.length : end)
    .filter((line) => isLong || isTold(line));
  const text = [
    `seed ${seed} breaks "${found.rule}" in step ${violation.step} of ${whole.steps.length}`,
    `  ${found.message}`,
    `  replay: npm run sim -- --seed ${seed}${options.ops === 300 ? '' : ` --ops ${options.ops}`}`,
    `  shrunk to ${plan.steps.length} steps, with ${JSON.stringify(plan.settings)}`,
    ...plan.steps.map((step, index) => `    ${index}: ${JSON.stringify(step)}`),
    ...told.slice(isLong ? 0 : -TRACE_LINES),
    '',
  ].join('\n');
  return { rule: found.rule, plan, text };
}

/** Pulls and their answers fill a trace and rarely matter. */
function isTold(line: string): boolean {
  return !/ pull \?|<- 200$| commits $|rows-pulled|push-started/.test(line);
}
