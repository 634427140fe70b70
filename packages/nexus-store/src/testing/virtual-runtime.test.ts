import { describe, expect, test } from 'vitest';
import { createSeededRandom } from './seeded-random.ts';
import { createVirtualRuntime, VIRTUAL_START_AT } from './virtual-runtime.ts';
import { VirtualTime } from './virtual-time.ts';
import type { Alarm } from './virtual-time.ts';

describe('virtual runtime', () => {
  test('timers fire by due time, then in the order in which they were set', async () => {
    const runtime = createVirtualRuntime(1);
    const fired: string[] = [];
    runtime.timers.after(20, () => fired.push('c'));
    runtime.timers.after(10, () => fired.push('a'));
    runtime.timers.after(10, () => fired.push('b'));

    await runtime.advance(20);

    expect(fired).toEqual(['a', 'b', 'c']);
    expect(runtime.pendingTimers).toBe(0);
  });

  test('whatever is set, cancelled and fired, the rest keeps its order', () => {
    const random = createSeededRandom(1);
    const time = new VirtualTime(0);
    const fired: Alarm[] = [];
    const waiting = new Set<Alarm>();
    for (let step = 0; step < 5_000; step++) {
      const what = random.float();
      if (what < 0.55) {
        // Few distinct times, so that many timers share one.
        const alarm = time.schedule(random.integer(20), () => {
          fired.push(alarm);
          waiting.delete(alarm);
        });
        waiting.add(alarm);
      } else if (what < 0.75 && waiting.size > 0) {
        const alarm = random.pick([...waiting]);
        time.cancel(alarm);
        waiting.delete(alarm);
      } else if (what < 0.8) time.step();
    }
    const remaining = [...waiting];
    const before = fired.length;
    time.runTo(1_000_000);

    const inOrder = remaining.toSorted((a, b) => a.due - b.due || a.order - b.order);
    expect(remaining.length).toBeGreaterThan(500);
    expect(fired.slice(before)).toEqual(inOrder);
  });

  test('promises settle between two timers, however long their chain', async () => {
    const runtime = createVirtualRuntime(1);
    const events: string[] = [];
    runtime.timers.after(1, () => {
      void (async () => {
        for (let link = 0; link < 1_000; link++) await Promise.resolve();
        await runtime.timers.yield();
        events.push('settled');
      })();
    });
    runtime.timers.after(2, () => events.push('next timer'));

    await runtime.advance(2);

    expect(events).toEqual(['settled', 'next timer']);
  });

  test('a timer sees the time at which it is due, and time ends where it was asked to', async () => {
    const runtime = createVirtualRuntime(1, { startAt: 1_000 });
    const seen: number[] = [];
    runtime.timers.after(250, () => seen.push(runtime.clock.now(), runtime.clock.elapsed()));

    await runtime.advanceTo(3_000);

    expect(seen).toEqual([1_250, 250]);
    expect(runtime.clock.now()).toBe(3_000);
  });

  test('a wall clock jump moves neither monotonic time nor timers', async () => {
    const runtime = createVirtualRuntime(1);
    let firedAt = 0;
    runtime.timers.after(100, () => (firedAt = runtime.clock.elapsed()));

    runtime.jumpWallClock(-86_400_000);
    await runtime.advance(100);

    expect(firedAt).toBe(100);
    expect(runtime.clock.now()).toBe(VIRTUAL_START_AT - 86_400_000 + 100);
  });

  test('a drifting wall clock gains on the monotonic one', async () => {
    const runtime = createVirtualRuntime(1, { startAt: 0, driftPpm: 100 });

    await runtime.advance('1d');

    expect(runtime.clock.now()).toBe(86_400_000 + 8_640);
    expect(runtime.clock.elapsed()).toBe(86_400_000);
  });

  test('the same seed gives the same chance and names, another seed others', () => {
    const draw = (seed: number): unknown => {
      const { ids, random } = createVirtualRuntime(seed);
      return [random.uint32(), random.float(), ids.uuid()];
    };

    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  test('a timer that sets itself again for ever is reported by runUntilIdle', async () => {
    const runtime = createVirtualRuntime(1);
    const again = (): void => void runtime.timers.after(1, again);
    again();

    await expect(runtime.runUntilIdle(1_000)).rejects.toThrow('not idle after 1000 timers');
  });

  test('what a timer throws reaches who advances time, and time can go on', async () => {
    const runtime = createVirtualRuntime(1);
    runtime.timers.after(1, () => {
      throw new Error('from a timer');
    });

    await expect(runtime.advance(5)).rejects.toThrow('from a timer');
    await runtime.advance(5);
    expect(runtime.clock.elapsed()).toBe(6);
  });

  test('advancing twice at once is refused', async () => {
    const runtime = createVirtualRuntime(1);
    const first = runtime.advance(1);

    await expect(runtime.advance(1)).rejects.toThrow('being advanced already');
    await first;
  });
});

describe('virtual process', () => {
  test('nothing of a killed process happens any more', async () => {
    const runtime = createVirtualRuntime(1);
    const process = runtime.createProcess();
    const events: string[] = [];
    process.timers.after(10, () => events.push('timer'));
    void process.timers.yield().then(() => events.push('yield'));

    process.kill();
    await runtime.advance(20);

    expect(events).toEqual([]);
    expect(runtime.pendingTimers).toBe(0);
  });

  test('timers of a suspended process wait for it, and keep their order', async () => {
    const runtime = createVirtualRuntime(1);
    const process = runtime.createProcess();
    const fired: string[] = [];
    process.timers.after(20, () => fired.push('second'));
    process.timers.after(10, () => fired.push('first'));
    const cancel = process.timers.after(15, () => fired.push('cancelled while held'));

    process.suspend();
    await runtime.advance(30);
    expect(fired).toEqual([]);
    cancel();
    process.resume();
    await runtime.advance(0);

    expect(fired).toEqual(['first', 'second']);
  });
});

test('a hundred thousand timers with settled promises take less than a second', async () => {
  const runtime = createVirtualRuntime(1);
  for (let index = 0; index < 100_000; index++) {
    runtime.timers.after(runtime.random.float() * 1_000_000, () => void Promise.resolve());
  }
  const startedAt = performance.now();

  await runtime.advance(1_000_000);

  const tookMs = performance.now() - startedAt;
  expect(runtime.pendingTimers).toBe(0);
  expect(tookMs).toBeLessThan(1_000);
});
