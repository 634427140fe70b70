import type { Storage } from '../../core/ports/storage.ts';
import { QueueFixture } from '../queue-fixture.ts';
import type { TestFunctions } from '../test-functions.ts';
import { compare } from './compare.ts';
import { Model } from './model.ts';
import type { Value } from './order-model.ts';
import type { Run, Wish } from './plan.ts';
import { perform } from './steps.ts';
import { add, type ModelSetting } from './writing-model.ts';

/** One step of a plan; `fails` does it in a shared commit, then throws: nothing may be left of it. */
export interface Planned {
  readonly wish: Wish;
  readonly fails: boolean;
}

/** Does a plan to the queue over a storage and to the model, and compares them after every step. */
export async function runPlan(
  openStorage: () => Storage,
  setting: ModelSetting,
  plan: readonly Planned[],
  expect: TestFunctions['expect'],
): Promise<void> {
  const rules = {
    onRejected: setting.onRejected,
    coalesce: setting.coalesce,
    isPulled: setting.isPulled,
    applyCommand: (value: unknown, _command: string, args: unknown) =>
      add(value as object as { [field: string]: number }, args as Value),
    ...(setting.merges
      ? { merge: (a: unknown, b: unknown) => add((a ?? {}) as { a: number }, b as Value) }
      : {}),
  };
  let storage = openStorage();
  const model = new Model(setting);
  const open = async (): Promise<QueueFixture> => {
    const fixture = await QueueFixture.open(storage, rules);
    fixture.now = model.now;
    return fixture;
  };
  const reopen = async (): Promise<QueueFixture> => {
    await storage.close();
    storage = openStorage();
    return open();
  };
  const fixture = await open();
  const run: Run = { model, fixture, reopen, sent: new Map(), expect, count: 0 };
  try {
    for (const { wish, fails } of plan) {
      await perform(run, wish, fails);
      await compare(run);
    }
  } finally {
    await storage.close();
  }
}
