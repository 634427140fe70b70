import { describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import type { RawMutate, Wish } from '../../testing/queue-model/plan.ts';
import { runPlan } from '../../testing/queue-model/run-plan.ts';
import type { ModelSetting } from '../../testing/queue-model/writing-model.ts';

/** Counterexamples that the model found once, by what went wrong. */

const PARK: ModelSetting = { onRejected: 'park', coalesce: true, merges: false, isPulled: false };

function write(lane: number, kind: RawMutate['write'], wish: Partial<RawMutate> = {}): RawMutate {
  return { lane, write: kind, field: 0, number: 0, priority: 0, after: null, ttl: null, ...wish };
}

function save(lane: number, wish: Partial<RawMutate> = {}): Wish {
  return { kind: 'mutate', ...write(lane, 'save', wish) };
}

function transaction(...writes: RawMutate[]): Wish {
  return { kind: 'transaction', writes };
}

function claim(limit = 1): Wish {
  return { kind: 'claim', limit, worst: 3, deferLow: false };
}

/** The numbers choose settlements, see `settlementOf`. */
function settle(...how: number[]): Wish {
  return { kind: 'settle', which: 0, how };
}
const COMPLETE = 0;
const RELEASE = 3;
const BURY = 5;
const CONFLICT = 6;
const TAKE_REMOTE = 31;
const TAKE_MERGED = 47;

function control(kind: 'cancel' | 'retry' | 'reprioritise', which: number, how = 0): Wish {
  return { kind, which, how };
}

async function holds(plan: readonly Wish[], setting: ModelSetting = PARK): Promise<void> {
  const database = memoryDatabase();
  const steps = plan.map((wish) => ({ wish, fails: false }));
  await runPlan(() => memoryStorage({ database }), setting, steps, expect);
}

describe('once broken', () => {
  test('a head stayed urgent after the urgent transaction behind it was cancelled', async () => {
    await holds([
      save(0, { priority: 1 }),
      transaction(write(0, 'save', { after: [] })),
      control('cancel', 1),
    ]);
  });

  test('a buried transaction came back through the conflict of one of its entries', async () => {
    await holds([
      transaction(write(0, 'save'), write(1, 'save')),
      claim(),
      settle(BURY),
      settle(CONFLICT, 0),
    ]);
  });

  test('the later of two writes in a transaction was applied first, and the app saw the wrong one', async () => {
    await holds(
      [
        transaction(write(0, 'save'), write(0, 'save')),
        claim(),
        settle(TAKE_MERGED),
        settle(COMPLETE),
      ],
      { ...PARK, coalesce: false },
    );
  });

  test('a skipped create took its row with it while its transaction was being buried', async () => {
    await holds(
      [
        save(0),
        save(1),
        transaction(write(2, 'command'), write(2, 'delete'), write(1, 'save')),
        claim(2),
        settle(COMPLETE, BURY, 0),
      ],
      { ...PARK, onRejected: 'skip' },
    );
  });

  test('an applied entry came back when the next of its transaction moved up in its lane', async () => {
    await holds([
      transaction(write(1, 'save'), write(1, 'save', { after: [] }), write(0, 'save')),
      claim(),
      settle(COMPLETE, COMPLETE),
    ]);
  });

  test('a transaction forgot who waits for it when one of its entries became less urgent', async () => {
    await holds([
      transaction(write(1, 'save', { priority: 1 }), write(1, 'save', { after: [] })),
      save(0, { after: [1] }),
      control('reprioritise', 1, 1),
    ]);
  });

  test('an entry forgot the urgency behind it when it became less urgent itself', async () => {
    await holds([
      save(0, { priority: 1 }),
      save(1, { priority: 1 }),
      transaction(write(1, 'save', { after: [0] })),
      save(1),
      control('reprioritise', 2, 1),
    ]);
  });

  test('a command behind an applied entry was laid over a row that others had deleted', async () => {
    await holds([
      save(1),
      transaction(write(1, 'command'), write(0, 'save')),
      { kind: 'pull', lane: 1, value: null, isEcho: false },
      claim(),
      settle(COMPLETE),
    ]);
  });

  test('an entry made the letter urgent again that it had stopped waiting for', async () => {
    await holds(
      [
        transaction(write(0, 'save', { priority: 1 }), write(0, 'save', { after: [] })),
        claim(),
        save(1, { priority: 1, after: [0] }),
        settle(BURY, COMPLETE),
        control('retry', 0),
        save(1),
      ],
      { ...PARK, onRejected: 'skip' },
    );
  });

  test('a transaction whose first entry was given up was not buried whole', async () => {
    await holds([
      transaction(write(0, 'save'), write(0, 'save', { after: [] }), write(1, 'save')),
      claim(),
      settle(TAKE_REMOTE, RELEASE, BURY),
    ]);
  });

  test('a reverted letter was sent again while its first attempt was under way', async () => {
    await holds(
      [
        transaction(write(0, 'save'), write(0, 'save', { after: [] })),
        claim(),
        settle(BURY),
        control('retry', 1),
        claim(),
      ],
      { ...PARK, onRejected: 'revert' },
    );
  });
});
