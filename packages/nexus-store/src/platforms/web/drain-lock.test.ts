import { afterEach, describe, expect, test } from 'vitest';
import { deferred } from '../../testing/deferred.ts';
import { createVirtualRuntime, type VirtualRuntime } from '../../testing/virtual-runtime.ts';
import { DrainLock } from './drain-lock.ts';
import { FakeOrigin, type FakeContext, type FakeFeatures } from './fakes/fake-origin.ts';

const NAME = 'nexus-store:field:drain';
const live = new AbortController().signal;

/** Several contexts with a lock each, that hear each other. */
class Contexts {
  readonly runtime: VirtualRuntime = createVirtualRuntime(1);
  readonly origin: FakeOrigin;
  /** What happened, in order. */
  readonly log: string[] = [];

  constructor(features: FakeFeatures = {}) {
    this.origin = new FakeOrigin(this.runtime, features);
  }

  open(): { readonly context: FakeContext; readonly lock: DrainLock } {
    const context = this.origin.openTab();
    const { browser, process } = context;
    const channel = browser.openChannel?.('hints');
    const lock: DrainLock = new DrainLock(process, browser.navigator.locks, NAME, {
      ask: () => {
        channel?.postMessage('who');
        return channel !== undefined;
      },
      answer: () => channel?.postMessage('me'),
    });
    if (channel !== undefined)
      channel.onmessage = ({ data }) => {
        if (data === 'me') lock.onAnswer();
        else if (lock.isHeld) channel.postMessage('me');
      };
    return { context, lock };
  }

  /** A turn that lasts until it is ended. */
  turn(
    lock: DrainLock,
    name: string,
    signal: AbortSignal = live,
  ): { end: () => void; over: Promise<unknown> } {
    const end = deferred<void>();
    const over = lock.drain(name, signal, async () => {
      this.log.push(`${name} begins`);
      await end.promise;
      this.log.push(`${name} ends`);
      return name;
    });
    return { end: () => end.resolve(), over };
  }
}

let contexts: Contexts | undefined;
afterEach(async () => {
  await contexts?.runtime.settle();
  expect(contexts?.runtime.pendingTimers ?? 0).toBe(0);
  contexts = undefined;
});
const opened = (features?: FakeFeatures): Contexts => (contexts = new Contexts(features));

describe('turns at draining', () => {
  test('one at a time, first come, first served', async () => {
    const all = opened();
    const [a, b, c] = [all.open(), all.open(), all.open()];
    const turns = [all.turn(a.lock, 'a'), all.turn(b.lock, 'b'), all.turn(c.lock, 'c')];

    for (const { end } of turns) {
      await all.runtime.settle();
      end();
    }
    const results = await Promise.all(turns.map(({ over }) => over));

    expect(results).toEqual(['a', 'b', 'c']);
    expect(all.log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  });

  test('a turn settles as its body does, and ends with it', async () => {
    const all = opened();
    const [a, b] = [all.open(), all.open()];
    const failing = a.lock.drain('a', live, () => Promise.reject(new Error('disk full')));

    await expect(failing).rejects.toThrow('disk full');
    const next = await b.lock.drain('b', live, async () => 'b');

    expect(next).toBe('b');
  });

  test('who gives up while waiting never gets a turn, and holds up nobody', async () => {
    const all = opened();
    const [a, b, c] = [all.open(), all.open(), all.open()];
    const first = all.turn(a.lock, 'a');
    const controller = new AbortController();
    const second = all.turn(b.lock, 'b', controller.signal);
    const third = all.turn(c.lock, 'c');
    await all.runtime.settle();

    controller.abort('deadline');
    const given = await second.over;
    first.end();
    await all.runtime.settle();
    third.end();
    await third.over;

    expect(given).toBeUndefined();
    expect(all.log).toEqual(['a begins', 'a ends', 'c begins', 'c ends']);
  });

  test('a signal that has aborted already asks for nothing', async () => {
    const all = opened();
    const { lock } = all.open();

    const given = await lock.drain('a', AbortSignal.abort(), async () => 'x');

    expect(given).toBeUndefined();
    expect(all.origin.locks.granted).toEqual([]);
  });

  test('a tab that crashes in its turn hands over at once', async () => {
    const all = opened();
    const [a, b] = [all.open(), all.open()];
    all.turn(a.lock, 'a');
    const second = all.turn(b.lock, 'b');
    await all.runtime.settle();

    a.context.kill();
    await all.runtime.settle();
    second.end();
    await second.over;

    expect(all.log).toEqual(['a begins', 'b begins', 'b ends']);
  });

  test('a tab that is frozen in its turn is overtaken within seven seconds, and not within four', async () => {
    const all = opened();
    const [a, b] = [all.open(), all.open()];
    all.turn(a.lock, 'a');
    await all.runtime.settle();
    a.context.freeze();
    const second = all.turn(b.lock, 'b');

    await all.runtime.advance('4s');
    const early = [...all.log];
    await all.runtime.advance('3s');
    second.end();
    await second.over;

    expect(early).toEqual(['a begins']);
    expect(all.log).toEqual(['a begins', 'b begins', 'b ends']);
  });

  test('a tab that thaws ends its turn beside the thief, and queues for the next one', async () => {
    const all = opened();
    const [a, b] = [all.open(), all.open()];
    const first = all.turn(a.lock, 'a');
    await all.runtime.settle();
    a.context.freeze();
    const second = all.turn(b.lock, 'b');
    await all.runtime.advance('7s');

    a.context.thaw();
    first.end();
    const result = await first.over;
    const third = all.turn(a.lock, 'a again');
    await all.runtime.settle();
    const meanwhile = [...all.log];
    second.end();
    await all.runtime.settle();
    third.end();
    await third.over;

    expect(result).toBe('a');
    expect(meanwhile).toEqual(['a begins', 'b begins', 'a ends']);
    expect(all.log.slice(3)).toEqual(['b ends', 'a again begins', 'a again ends']);
  });

  test('two that wait for a frozen tab do not steal from each other', async () => {
    const all = opened();
    const [a, b, c] = [all.open(), all.open(), all.open()];
    all.turn(a.lock, 'a');
    await all.runtime.settle();
    a.context.freeze();
    const waiting = [all.turn(b.lock, 'b'), all.turn(c.lock, 'c')];

    await all.runtime.advance('30m');
    const begun = all.log.length;
    for (const { end } of waiting) end();
    await all.runtime.advance('1s');
    await Promise.all(waiting.map(({ over }) => over));

    expect(begun).toBe(2);
    expect(all.log.filter((entry) => entry.endsWith('begins'))).toHaveLength(3);
  });

  test('a holder that answers is never robbed, however long its turn', async () => {
    const all = opened();
    const [a, b] = [all.open(), all.open()];
    const first = all.turn(a.lock, 'a');
    const second = all.turn(b.lock, 'b');

    await all.runtime.advance('2h');
    const meanwhile = [...all.log];
    first.end();
    await all.runtime.settle();
    second.end();
    await second.over;

    expect(meanwhile).toEqual(['a begins']);
  });

  test('where the holder cannot be asked, patience outlasts a request and a lease', async () => {
    const all = opened({ channels: false });
    const [a, b] = [all.open(), all.open()];
    all.turn(a.lock, 'a');
    await all.runtime.settle();
    a.context.freeze();
    const second = all.turn(b.lock, 'b');

    await all.runtime.advance('45s');
    const early = all.log.length;
    await all.runtime.advance('2s');
    second.end();
    await second.over;

    expect([early, all.log.length]).toEqual([1, 3]);
  });

  test('without locks everybody may drain: the row leases have to do', async () => {
    const all = opened({ locks: false });
    const [a, b] = [all.open(), all.open()];
    const turns = [all.turn(a.lock, 'a'), all.turn(b.lock, 'b')];

    await all.runtime.settle();
    const begun = [...all.log];
    for (const { end } of turns) end();
    await Promise.all(turns.map(({ over }) => over));

    expect(begun).toEqual(['a begins', 'b begins']);
  });

  test('a browser that refuses its locks is no reason not to send', async () => {
    const runtime = createVirtualRuntime(1);
    const refuse = (): Promise<never> => Promise.reject(new Error('SecurityError'));
    const locks = { request: refuse, query: refuse };
    const lock = new DrainLock(runtime, locks, NAME, { ask: () => true, answer: () => {} });

    const result = await lock.drain('a', live, async () => 'sent');

    expect(result).toBe('sent');
    expect(runtime.pendingTimers).toBe(0);
  });

  test('whose turn was cut off by the end of its tab is gone; who is frozen or done is not known to be', async () => {
    const all = opened();
    const [dead, frozen, thief] = [all.open(), all.open(), all.open()];
    all.turn(dead.lock, 'dead');
    await all.runtime.settle();
    dead.context.kill();
    all.turn(frozen.lock, 'frozen');
    await all.runtime.settle();
    frozen.context.freeze();
    const last = all.turn(thief.lock, 'thief');
    const early = thief.lock.isGone('dead');

    await all.runtime.advance('7s');
    const gone = ['dead', 'frozen', 'thief'].map((owner) => thief.lock.isGone(owner));
    last.end();
    await last.over;

    expect(early).toBe(false);
    expect(gone).toEqual([true, false, false]);
  });

  test('a tab that thaws does not take those for gone whose turns began without it', async () => {
    const all = opened();
    const [frozen, thief, next] = [all.open(), all.open(), all.open()];
    const first = all.turn(frozen.lock, 'frozen');
    await all.runtime.settle();
    frozen.context.freeze();
    const second = all.turn(thief.lock, 'thief');
    await all.runtime.advance('7s');
    second.end();
    const third = all.turn(next.lock, 'next');
    await all.runtime.settle();

    frozen.context.thaw();
    const gone = ['thief', 'next'].map((owner) => frozen.lock.isGone(owner));
    first.end();
    third.end();
    await Promise.all([first.over, third.over]);

    expect(gone).toEqual([false, false]);
  });

  test('nor one that was frozen while it looked who else takes a turn', async () => {
    const all = opened();
    const [frozen, thief] = [all.open(), all.open()];
    // Somebody's turn lasts beside it: it waits a moment for that one to go.
    const beside = deferred<void>();
    const keeper = all.origin.openTab().browser.navigator.locks;
    void keeper?.request(`${NAME}:beside`, {}, () => beside.promise);
    await all.runtime.settle();
    const first = all.turn(frozen.lock, 'frozen');
    await all.runtime.settle();
    frozen.context.freeze();
    const second = all.turn(thief.lock, 'thief');
    await all.runtime.advance('7s');

    frozen.context.thaw();
    await all.runtime.advance('1s');
    const begun = [...all.log];
    const isGone = frozen.lock.isGone('thief');
    beside.resolve();
    first.end();
    second.end();
    await Promise.all([first.over, second.over]);

    expect(begun).toEqual(['thief begins', 'frozen begins']);
    expect(isGone).toBe(false);
  });

  test('a dead one whose lock is released a moment late is gone all the same', async () => {
    const all = opened();
    const [dead, next] = [all.open(), all.open()];
    // The turn's own lock outlives the tab for a moment.
    const late = new AbortController();
    const keeper = all.origin.openTab();
    void keeper.browser.navigator.locks?.request(`${NAME}:dead`, {}, async () => {
      await new Promise<void>((resolve) => late.signal.addEventListener('abort', () => resolve()));
    });
    await all.runtime.settle();
    const turn = all.turn(next.lock, 'next');
    await all.runtime.advance(100);
    late.abort();
    await all.runtime.settle();
    dead.context.kill();

    const isGone = next.lock.isGone('dead');
    turn.end();
    await turn.over;

    expect(isGone).toBe(true);
  });
});
