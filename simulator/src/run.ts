import type { Violation } from './checkers/scene.ts';
import { checkLiveness, healAndDrain } from './checkers/liveness.ts';
import { perform } from './app/perform.ts';
import type { Plan } from './plan/operations.ts';
import { Trace } from './trace.ts';
import { World } from './world/world.ts';

export interface RunResult {
  readonly violation: Violation | undefined;
  readonly hash: string;
  readonly trace: readonly string[];
  readonly commits: number;
}

export interface RunOptions {
  /** Keep the lines of the trace, for people. */
  readonly isTraced?: boolean;
  /** Rules that are known to be broken and must not hide others. */
  readonly ignored?: readonly string[];
}

/** Runs a plan from its first step to the healed world. The same plan gives the same run. */
export async function runPlan(plan: Plan, options: RunOptions = {}): Promise<RunResult> {
  const trace = new Trace(options.isTraced ?? false);
  const world = new World(plan, trace, options.ignored ?? []);
  const onRejection = (reason: unknown): void =>
    world.fail(
      'unhandled-rejection',
      reason instanceof Error ? (reason.stack ?? '') : String(reason),
    );
  process.on('unhandledRejection', onRejection);
  try {
    await runSteps(world);
    if (world.violation === undefined) await healAndDrain(world);
  } catch (error) {
    world.fail('simulator', error instanceof Error ? (error.stack ?? '') : String(error));
  } finally {
    for (const context of world.alive) context.kill('the run is over');
    world.disk.dispose();
    process.off('unhandledRejection', onRejection);
  }
  return {
    violation: world.violation,
    hash: trace.hash,
    trace: trace.lines,
    commits: world.disk.commits,
  };
}

async function runSteps(world: World): Promise<void> {
  for (const [index, step] of world.plan.steps.entries()) {
    world.step = index;
    await world.runtime.advance(step.gapMs);
    await world.restorePower();
    if (world.violation !== undefined) return;
    checkLiveness(world);
    await perform(world, step);
    if (world.violation !== undefined) return;
  }
}
