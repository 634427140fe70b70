import { describe, expect, test } from 'vitest';
import { createVirtualRuntime, VIRTUAL_START_AT } from './virtual-runtime.ts';

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

  test('a cancelled timer never fires, whatever its place in the heap', async () => {
    const runtime = createVirtualRuntime(1);
    const fired: number[] = [];
    const delays = Array.from({ length: 200 }, () => Math.floor(runtime.random.float() * 50));
    const cancels = delays.map((delay) => runtime.timers.after(delay, () => fired.push(delay)));
    for (const [index, cancel] of cancels.entries()) if (index % 3 === 0) cancel();

    await runtime.advance('1s');

    const kept = delays.filter((_, index) => index % 3 !== 0);
    expect(fired).toEqual(kept.toSorted((a, b) => a - b));
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
