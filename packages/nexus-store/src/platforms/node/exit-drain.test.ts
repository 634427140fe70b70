import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';
import { ExitDrain, type Drainable } from './exit-drain.ts';

class FakeProcess extends EventEmitter {
  readonly pid = 4711;
  readonly kills: string[] = [];

  kill(pid: number, signal: string): void {
    expect(pid).toBe(this.pid);
    // Only without listeners does a signal do what it does by itself.
    if (this.listenerCount(signal) === 0) this.kills.push(signal);
  }
}

function setUp(options: { readonly drainMs?: number; readonly hasNews?: () => boolean } = {}) {
  const runtime = createVirtualRuntime(1);
  const process = new FakeProcess();
  const drain = new ExitDrain(process, (ms, callback) => runtime.timers.after(ms, callback));
  const calls: string[] = [];
  const member: Drainable = {
    drain: (graceMs) => {
      calls.push(`drain ${graceMs}`);
      return new Promise((resolve) => {
        runtime.timers.after(options.drainMs ?? 100, resolve);
      });
    },
    close: async () => {
      calls.push('close');
    },
    get hasNews() {
      return options.hasNews?.() ?? true;
    },
    graceMs: 5_000,
  };
  const remove = drain.add(member);
  return { runtime, process, calls, remove };
}

describe('the end of a process', () => {
  test.each(['SIGTERM', 'SIGINT'])(
    '%s ends it as it would have, after the drain',
    async (signal) => {
      const { runtime, process, calls } = setUp();

      process.emit(signal);
      await runtime.advance(99);
      const early = [...process.kills];
      await runtime.advance(1);

      expect(early).toEqual([]);
      expect(calls).toEqual(['drain 4500', 'close']);
      expect(process.kills).toEqual([signal]);
    },
  );

  test('a drain that does not end holds it back no longer than the grace', async () => {
    const { runtime, process } = setUp({ drainMs: 1e9 });

    process.emit('SIGTERM');
    await runtime.advance(5_000);

    expect(process.kills).toEqual(['SIGTERM']);
  });

  test('a second signal ends it at once', async () => {
    const { runtime, process } = setUp({ drainMs: 4_000 });

    process.emit('SIGINT');
    await runtime.advance(10);
    process.emit('SIGINT');
    await runtime.settle();

    expect(process.kills).toEqual(['SIGINT']);
  });

  test.each(['on', 'once'] as const)(
    'what the app handles itself (%s) ends it as the app decides',
    async (register) => {
      const { runtime, process, calls } = setUp();
      let handled = 0;
      process[register]('SIGTERM', () => {
        handled += 1;
      });

      process.emit('SIGTERM');
      await runtime.advance(10_000);

      expect(handled).toBe(1);
      expect(calls).toEqual(['drain 5000']);
      expect(process.kills).toEqual([]);
    },
  );

  test('a process with nothing left to do sends what is new, once', async () => {
    let hasNews = true;
    const { runtime, process, calls } = setUp({ hasNews: () => hasNews });

    process.emit('beforeExit');
    process.emit('beforeExit');
    await runtime.advance(1_000);
    hasNews = false;
    process.emit('beforeExit');
    await runtime.advance(1_000);

    expect(calls).toEqual(['drain 5000']);
  });

  test('without anything to drain the process has no handlers of ours', () => {
    const { process, remove } = setUp();
    const during = process.eventNames();

    remove();

    expect(during).toEqual(['SIGTERM', 'SIGINT', 'beforeExit']);
    expect(process.eventNames()).toEqual([]);
  });
});
