import type { Runtime } from '../../core/ports/runtime.ts';
import { isBusy } from './sqlite-errors.ts';

/** What waiting needs of a `Runtime`. */
export type WaitingRuntime = Pick<Runtime, 'clock' | 'timers' | 'random'>;

/** Short enough that a lock which comes free is soon taken, long enough not to spin. */
const FIRST_WAIT_MS = 1;
const LONGEST_WAIT_MS = 20;

/**
 * Repeats a step while another connection holds the lock it needs. The waits are random, so that
 * several processes which wait for one file do not wait in step; they leave the event loop free.
 */
export class Patience {
  readonly #runtime: WaitingRuntime;
  readonly #limitMs: number;

  constructor(runtime: WaitingRuntime, limitMs: number) {
    this.#runtime = runtime;
    this.#limitMs = limitMs;
  }

  /**
   * The step's answer. Rethrows its failure at once unless it is a lock, and otherwise when the patience
   * ends. `meanwhile` runs after each wait.
   */
  async until<T>(step: () => T | Promise<T>, meanwhile?: () => Promise<void>): Promise<T> {
    const { clock } = this.#runtime;
    let startedAt: number | undefined;
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
      try {
        return await step();
      } catch (error) {
        startedAt ??= clock.elapsed();
        if (!isBusy(error) || clock.elapsed() - startedAt >= this.#limitMs) throw error;
      }
      await this.#wait(waitMs);
      await meanwhile?.();
    }
  }

  #wait(meanMs: number): Promise<void> {
    const delayMs = Math.max(1, Math.round(meanMs * 2 * this.#runtime.random.float()));
    return new Promise((resolve) => {
      this.#runtime.timers.after(delayMs, resolve);
    });
  }
}

/**
 * The platform's own clock, timers and chance. Unlike a runtime's timers these keep the process alive:
 * somebody awaits the transaction that waits.
 */
export const platformRuntime: WaitingRuntime = {
  clock: { now: () => Date.now(), elapsed: () => performance.now() },
  timers: {
    after: (delayMs, callback) => {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
    yield: () =>
      new Promise((resolve) => {
        if (typeof setImmediate === 'function') setImmediate(resolve);
        else setTimeout(resolve, 0);
      }),
  },
  random: {
    float: () => Math.random(),
    uint32: () => Math.floor(Math.random() * 2 ** 32),
  },
};
