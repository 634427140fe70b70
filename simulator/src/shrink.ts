import type { Plan, Step } from './plan/operations.ts';
import { runPlan, type RunOptions } from './run.ts';

/**
 * A plan with as few steps as can be found that still breaks the same rule: leaves out ever smaller
 * parts, as long as one can be left out.
 *
 * @param maxRuns plans tried at most
 */
export async function shrinkPlan(
  plan: Plan,
  rule: string,
  maxRuns: number,
  options: RunOptions = {},
): Promise<Plan> {
  let best = plan;
  let runs = 0;
  const fails = async (steps: readonly Step[]): Promise<boolean> => {
    runs += 1;
    const { violation } = await runPlan({ ...plan, steps }, options);
    return violation?.rule === rule;
  };
  for (let size = Math.ceil(plan.steps.length / 2); size >= 1;) {
    const before = best.steps.length;
    for (let from = best.steps.length - size; from > -size && runs < maxRuns; from -= size) {
      const steps = best.steps.toSpliced(Math.max(0, from), size + Math.min(0, from));
      if (await fails(steps)) best = { ...plan, steps };
    }
    if (runs >= maxRuns) return best;
    if (size > 1 || best.steps.length === before) size = size === 1 ? 0 : Math.floor(size / 2);
  }
  return best;
}
