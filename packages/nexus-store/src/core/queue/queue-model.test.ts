import { env } from 'node:process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { databases, type TestDatabase } from '../../storage/fakes/databases.ts';
import type { RawMutate, Wish } from '../../testing/queue-model/plan.ts';
import { runPlan } from '../../testing/queue-model/run-plan.ts';
import type { ModelSetting } from '../../testing/queue-model/writing-model.ts';

const rawMutate: fc.Arbitrary<RawMutate> = fc.record({
  lane: fc.nat(2),
  write: fc.constantFrom('save', 'save', 'save', 'patch', 'delete', 'create', 'command'),
  field: fc.nat(1),
  number: fc.nat(9),
  priority: fc.nat(3),
  after: fc.option(fc.array(fc.nat(20), { maxLength: 2 }), { freq: 3 }),
  ttl: fc.option(fc.integer({ min: 1, max: 3_000 }), { freq: 6 }),
});

const which = fc.nat(20);
const how = fc.nat(60);
const control = (kind: 'cancel' | 'retry' | 'discard' | 'reprioritise' | 'resolve') =>
  fc.record({ kind: fc.constant(kind), which, how });

const wishes: fc.Arbitrary<Wish> = fc.oneof(
  { weight: 9, arbitrary: rawMutate.map((raw) => ({ kind: 'mutate' as const, ...raw })) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('transaction' as const),
      writes: fc.array(rawMutate, { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('claim' as const),
      limit: fc.integer({ min: 1, max: 4 }),
      worst: fc.constantFrom(3, 3, 2, 0),
      deferLow: fc.boolean(),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('settle' as const),
      which,
      how: fc.array(how, { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 2, arbitrary: control('cancel') },
  { weight: 3, arbitrary: control('retry') },
  { weight: 1, arbitrary: control('discard') },
  { weight: 2, arbitrary: control('reprioritise') },
  { weight: 1, arbitrary: control('resolve') },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('pull' as const),
      lane: fc.nat(2),
      value: fc.option(fc.nat(9)),
      isEcho: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'expire' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('advance' as const),
      ms: fc.constantFrom(1, 299, 600, 1_001),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
);

/** Mostly refusals and retries: by chance alone few plans have something written between the two. */
const refusals: fc.Arbitrary<Wish> = fc.oneof(
  { weight: 8, arbitrary: rawMutate.map((raw) => ({ kind: 'mutate' as const, ...raw })) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('transaction' as const),
      writes: fc.array(rawMutate, { minLength: 1, maxLength: 2 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('claim' as const),
      limit: fc.integer({ min: 1, max: 3 }),
      worst: fc.constant(3),
      deferLow: fc.constant(false),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('settle' as const),
      which,
      // Refused, refused with an unknown fate, applied.
      how: fc.array(fc.constantFrom(5, 5, 13, 21, 0), { minLength: 1, maxLength: 3 }),
    }),
  },
  { weight: 5, arbitrary: control('retry') },
  { weight: 1, arbitrary: control('reprioritise') },
);

const settings: fc.Arbitrary<ModelSetting> = fc.record({
  onRejected: fc.constantFrom('park', 'skip', 'revert'),
  coalesce: fc.constantFrom(true, true, false),
  merges: fc.boolean(),
  isPulled: fc.boolean(),
});

const RUNS = Number(env['NEXUS_MODEL_RUNS'] ?? 200);
const STEPS = Number(env['NEXUS_MODEL_STEPS'] ?? 40);

/** A memory is quicker by as much. */
const runsOver = (name: TestDatabase['name']): number =>
  name === 'memory' ? RUNS : Math.ceil(RUNS / 8);

/** What is refused stays in its lane, and what is written behind it may fold. */
const foldingSettings: fc.Arbitrary<ModelSetting> = fc.record({
  onRejected: fc.constant('park'),
  coalesce: fc.constant(true),
  merges: fc.boolean(),
  isPulled: fc.boolean(),
});

describe.each(databases)('the queue over $name', ({ name, create }) => {
  const runs = runsOver(name);

  test.each([
    ['does', settings, wishes, runs],
    ['does with what is refused and retried', foldingSettings, refusals, Math.ceil(runs / 2)],
  ])(
    '%s what a plain list of entries would do',
    { timeout: 0 },
    async (_, setup, wish, numRuns) => {
      const plans = fc.array(fc.record({ wish, fails: fc.nat(9).map((number) => number === 0) }), {
        minLength: 1,
        maxLength: STEPS,
        size: 'max',
      });
      const seed = env['NEXUS_MODEL_SEED'];
      await fc.assert(
        fc.asyncProperty(setup, plans, (setting, plan) => runPlan(create(), setting, plan, expect)),
        { numRuns, ...(seed === undefined ? {} : { seed: Number(seed) }) },
      );
    },
  );
});
