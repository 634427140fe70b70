import fc from 'fast-check';
import { expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { QueueFixture } from '../../testing/queue-fixture.ts';
import { reviveEntry } from './control.ts';
import { passSettled, readStanding, type Standing } from './inspect.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import type { Settlement } from './settlement.ts';

const failure = { code: 'remote/rejected', at: 0 };
const BURY: Settlement = { kind: 'bury', failure, consumesAttempt: true };

function standing(queue: QueueFixture): Promise<Standing> {
  return queue.writer.read((uow) => readStanding(uow, 0, queue.now));
}

async function passAll(queue: QueueFixture): Promise<void> {
  while (await queue.write((uow) => passSettled(uow, 0)));
}

function retry(queue: QueueFixture, seq: number): Promise<unknown> {
  return queue.write((uow) =>
    reviveEntry(uow, 0, seq, queue.newKey, DEFAULT_LIMITS, queue.rulesOf),
  );
}

test('dead letters, however many, are passed over once', async () => {
  const queue = await QueueFixture.open(memoryStorage());
  for (let index = 0; index < 2_500; index += 1) await queue.add(`dead ${index}`, { t: 1 });
  const claim = await queue.claim(2_500);
  if (claim !== undefined) await queue.settle(claim, BURY);
  queue.now += 5;
  const waits = await queue.add('waits', { t: 1 }, { after: [1] });
  const madeAt = queue.now;
  expect((await queue.entry(waits))?.behind).toBeNull();

  const first = await standing(queue);
  await passAll(queue);
  const second = await standing(queue);

  expect(first).toMatchObject({ oldestAt: madeAt, passed: 2_499 });
  expect(second).toMatchObject({ oldestAt: madeAt, passed: 0 });
});

test('the oldest that waits is found, whatever was passed over before', async () => {
  const steps = fc.array(
    fc.record({
      what: fc.constantFrom('add', 'add', 'complete', 'bury', 'wait', 'retry', 'pass', 'later'),
      which: fc.nat(5),
    }),
    { minLength: 10, maxLength: 60 },
  );
  await fc.assert(
    fc.asyncProperty(steps, async (list) => {
      const queue = await QueueFixture.open(memoryStorage(), { coalesce: false });
      for (const { what, which } of list) {
        queue.now += 7;
        if (what === 'add') await queue.add(`e${which}`, { t: 1 });
        else if (what === 'pass') await passAll(queue);
        else if (what === 'later') queue.now += 1_000;
        else if (what === 'retry') {
          const dead = (await queue.entries()).filter(({ state }) => state === 'dead');
          const entry = dead[which % Math.max(1, dead.length)];
          if (entry !== undefined) await retry(queue, entry.seq);
        } else {
          const claim = await queue.claim(1 + which);
          const notBefore = queue.now + 500;
          const settlement: Settlement =
            what === 'complete'
              ? { kind: 'complete' }
              : what === 'bury'
                ? BURY
                : { kind: 'release', ambiguous: 0, notBefore, consumesAttempt: true };
          if (claim !== undefined) await queue.settle(claim, settlement);
        }

        const waiting = (await queue.entries()).filter(({ state }) => state === null);
        const oldest = waiting.toSorted((a, b) => a.seq - b.seq)[0];
        expect((await standing(queue)).oldestAt).toBe(oldest?.enqueuedAt ?? null);
      }
    }),
    { numRuns: 200 },
  );
});
