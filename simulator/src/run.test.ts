import { describe, expect, test } from 'vitest';
import { generatePlan } from './plan/generate.ts';
import type { Plan } from './plan/operations.ts';
import { runPlan } from './run.ts';

describe('a plan', () => {
  test('is made by its seed alone', () => {
    expect(generatePlan(7, 300)).toEqual(generatePlan(7, 300));
    expect(generatePlan(8, 300)).not.toEqual(generatePlan(7, 300));
  });

  test('runs the same way twice, traced or not', async () => {
    const plan = generatePlan(3, 120);

    const first = await runPlan(plan);
    const second = await runPlan(plan, { isTraced: true });

    expect(second.hash).toBe(first.hash);
    expect(second.trace.length).toBeGreaterThan(120);
  });

  test('leaves another trace if one step is different', async () => {
    const plan = generatePlan(3, 120);
    const shorter: Plan = { ...plan, steps: plan.steps.slice(1) };

    const [whole, rest] = [await runPlan(plan), await runPlan(shorter)];

    expect(rest.hash).not.toBe(whole.hash);
  });
});
