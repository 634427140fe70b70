import 'fake-indexeddb/auto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { indexedDbStorage } from '../../storage/indexeddb/index.ts';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { sqliteStorage } from '../../storage/sqlite/index.ts';
import type { RawMutate, Wish } from '../../testing/queue-model/plan.ts';
import { runPlan } from '../../testing/queue-model/run-plan.ts';
import type { ModelSetting } from '../../testing/queue-model/writing-model.ts';
import type { Storage } from '../ports/storage.ts';

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
  { weight: 2, arbitrary: control('retry') },
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

const settings: fc.Arbitrary<ModelSetting> = fc.record({
  onRejected: fc.constantFrom('park', 'skip', 'revert'),
  coalesce: fc.constantFrom(true, true, false),
  merges: fc.boolean(),
  isPulled: fc.boolean(),
});

const RUNS = Number(env['NEXUS_MODEL_RUNS'] ?? 200);
const STEPS = Number(env['NEXUS_MODEL_STEPS'] ?? 40);

interface Driver {
  readonly name: string;
  readonly runs: number;
  /** A way to open one new database again and again. */
  readonly create: () => () => Storage;
}

const folder = mkdtempSync(join(tmpdir(), 'nexus-model-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;

const drivers: readonly Driver[] = [
  {
    name: 'memory',
    runs: RUNS,
    create: () => {
      const database = memoryDatabase();
      return () => memoryStorage({ database });
    },
  },
  {
    name: 'SQLite',
    runs: Math.ceil(RUNS / 8),
    create: () => {
      const path = join(folder, `${++files}.db`);
      return () => sqliteStorage({ path, durability: 'relaxed' });
    },
  },
  {
    name: 'IndexedDB',
    runs: Math.ceil(RUNS / 8),
    create: () => {
      const name = `queue-model-${++files}`;
      return () => indexedDbStorage({ name });
    },
  },
];

describe.each(drivers)('the queue over $name', ({ create, runs }) => {
  test('does what a plain list of entries would do', { timeout: 0 }, async () => {
    const plans = fc.array(
      fc.record({ wish: wishes, fails: fc.nat(9).map((number) => number === 0) }),
      { minLength: 1, maxLength: STEPS, size: 'max' },
    );
    const seed = env['NEXUS_MODEL_SEED'];
    await fc.assert(
      fc.asyncProperty(settings, plans, (setting, plan) =>
        runPlan(create(), setting, plan, expect),
      ),
      { numRuns: runs, ...(seed === undefined ? {} : { seed: Number(seed) }) },
    );
  });
});
