import { durationMs } from '../core/model/duration.ts';
import type { Duration } from '../core/model/duration.ts';
import { COUNT, requireKind, requireOptions, type Kinds } from '../core/model/arguments.ts';
import { createIds } from '../core/model/uuid.ts';
import { LOGGER } from '../core/ports/kinds.ts';
import { silentLogger } from '../core/ports/runtime.ts';
import type { Clock, Ids, Logger, Random, Runtime, Timers } from '../core/ports/runtime.ts';
import { FINITE } from './option-kinds.ts';
import { createSeededRandom } from './seeded-random.ts';
import { VirtualTime } from './virtual-time.ts';
import type { Alarm } from './virtual-time.ts';

export interface VirtualRuntimeOptions {
  /**
   * Wall time at the beginning.
   *
   * @unit epoch milliseconds
   * @defaultValue 2026-01-05T00:00:00Z, a Monday
   */
  readonly startAt?: number;
  /**
   * How much faster than the monotonic clock the wall clock runs, in millionths.
   *
   * @defaultValue `0`
   */
  readonly driftPpm?: number;
  /**
   * Turns of the platform's event loop that pass between two timers. One settles all promises; more are
   * needed only by code that waits for real events, such as an IndexedDB look-alike.
   *
   * @defaultValue `1`
   */
  readonly settleTurns?: number;
  /** @defaultValue a logger that drops everything */
  readonly logger?: Logger;
}

/**
 * A `Runtime` whose time stands still until it is advanced, and whose chance and names depend on the
 * seed alone. The same seed and the same calls give the same run, interleaving included.
 */
export interface VirtualRuntime extends Runtime {
  readonly seed: number;
  /** The timers and clocks underneath, for simulations that need no promises. */
  readonly time: VirtualTime;
  /** Timers that wait, those of processes included. Zero after a test means that nothing leaked. */
  readonly pendingTimers: number;
  /** Fires every timer that falls into the next `duration`, in order, settling promises after each. */
  advance(duration: Duration): Promise<void>;
  /** The same until the wall clock shows `at`; resolves at once if it already does. */
  advanceTo(at: number): Promise<void>;
  /**
   * Fires timers until none waits.
   *
   * @throws RangeError after `maxTimers` (default 1,000,000): something reschedules itself for ever
   */
  runUntilIdle(maxTimers?: number): Promise<void>;
  /** Lets promises settle without moving time. */
  settle(): Promise<void>;
  /** Moves the wall clock; monotonic time and timers stay. */
  jumpWallClock(ms: number): void;
  /** A runtime on the same clock whose timers die with it: one process or tab of several. */
  createProcess(): VirtualProcess;
}

/** A runtime that can be stopped from outside, as a system does with an app. */
export interface VirtualProcess extends Runtime {
  readonly isAlive: boolean;
  /** Nothing the process waits for will ever happen. */
  kill(): void;
  /** Timers that fall due are held back, as in an app that the system froze. */
  suspend(): void;
  /** Held timers fire now, in the order in which they fell due. */
  resume(): void;
}

/** 2026-01-05T00:00:00Z: a Monday, so that profiles begin with a working week. */
export const VIRTUAL_START_AT: number = Date.UTC(2026, 0, 5);

const MAX_SETTLE_TURNS = 100_000;

const OPTIONS: Kinds<VirtualRuntimeOptions> = {
  startAt: FINITE,
  driftPpm: FINITE,
  settleTurns: COUNT,
  logger: LOGGER,
};

/**
 * @param seed every run of the same seed is the same run
 * @throws UsageError `usage/invalid-argument`
 */
export function createVirtualRuntime(
  seed: number,
  options: VirtualRuntimeOptions = {},
): VirtualRuntime {
  requireKind('createVirtualRuntime: seed', seed, FINITE);
  requireOptions('createVirtualRuntime', options, OPTIONS);
  return new SeededRuntime(seed, options);
}

class SeededRuntime implements VirtualRuntime {
  readonly seed: number;
  readonly time: VirtualTime;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly ids: Ids;
  readonly logger: Logger;
  readonly #settleTurns: number;
  /** Calls of `yield` that have not resolved; time does not move while there are any. */
  #yielding = 0;
  #processes = 0;
  #isAdvancing = false;

  constructor(seed: number, options: VirtualRuntimeOptions) {
    const time = new VirtualTime(options.startAt ?? VIRTUAL_START_AT, options.driftPpm);
    this.seed = seed;
    this.time = time;
    this.clock = { now: () => time.now, elapsed: () => time.elapsed };
    this.timers = {
      after: (delayMs, callback) => {
        const alarm = time.schedule(delayMs, callback);
        return () => time.cancel(alarm);
      },
      yield: () => this.#yield(),
    };
    this.random = createSeededRandom(seed, 'random');
    // Ids draw from a stream of their own, so that a new id does not change what chance decides.
    this.ids = createIds(this.clock, createSeededRandom(seed, 'ids'));
    this.logger = options.logger ?? silentLogger;
    this.#settleTurns = options.settleTurns ?? 1;
  }

  get pendingTimers(): number {
    return this.time.pending;
  }

  async advance(duration: Duration): Promise<void> {
    await this.#runTo(this.time.elapsed + durationMs(duration, 'duration'));
  }

  async advanceTo(at: number): Promise<void> {
    requireKind('advanceTo', at, FINITE);
    await this.#runTo(this.time.elapsedAt(at));
  }

  async runUntilIdle(maxTimers = 1_000_000): Promise<void> {
    const fired = await this.#runTo(Infinity, maxTimers);
    if (this.time.pending > 0) throw new RangeError(`not idle after ${fired} timers`);
  }

  async settle(): Promise<void> {
    for (let turns = 0; turns < this.#settleTurns || this.#yielding > 0; turns++) {
      if (turns > MAX_SETTLE_TURNS) throw new RangeError('something yields for ever');
      await turnOfEventLoop();
    }
  }

  jumpWallClock(ms: number): void {
    requireKind('jumpWallClock', ms, FINITE);
    this.time.jumpWallClock(ms);
  }

  createProcess(): VirtualProcess {
    return new SeededProcess(this, this.#processes++);
  }

  async #runTo(until: number, maxTimers = Infinity): Promise<number> {
    if (this.#isAdvancing)
      throw new TypeError('time is being advanced already: await the first call');
    this.#isAdvancing = true;
    let fired = 0;
    try {
      await this.settle(); // what was begun before the call belongs to the time before it
      while (fired < maxTimers && this.time.step(until)) {
        fired++;
        await this.settle();
      }
      this.time.moveTo(until);
    } finally {
      this.#isAdvancing = false;
    }
    return fired;
  }

  async #yield(): Promise<void> {
    this.#yielding++;
    await turnOfEventLoop();
    this.#yielding--;
  }
}

class SeededProcess implements VirtualProcess {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly ids: Ids;
  readonly logger: Logger;
  readonly #time: VirtualTime;
  readonly #alarms = new Set<Alarm>();
  #state: 'running' | 'suspended' | 'dead' = 'running';
  #held: (() => void)[] = [];

  constructor(host: VirtualRuntime, number: number) {
    this.#time = host.time;
    this.clock = host.clock;
    this.logger = host.logger;
    this.random = createSeededRandom(host.seed, `process ${number}`);
    this.ids = createIds(host.clock, createSeededRandom(host.seed, `ids of process ${number}`));
    this.timers = {
      after: (delayMs, callback) => this.#after(delayMs, callback),
      yield: () =>
        new Promise((resolve) => {
          void host.timers.yield().then(() => this.#run(resolve));
        }),
    };
  }

  get isAlive(): boolean {
    return this.#state !== 'dead';
  }

  kill(): void {
    this.#state = 'dead';
    for (const alarm of this.#alarms) this.#time.cancel(alarm);
    this.#alarms.clear();
    this.#held = [];
  }

  suspend(): void {
    if (this.#state === 'running') this.#state = 'suspended';
  }

  resume(): void {
    if (this.#state !== 'suspended') return;
    this.#state = 'running';
    const held = this.#held;
    this.#held = [];
    for (const callback of held) this.#after(0, callback);
  }

  #after(delayMs: number, callback: () => void): () => void {
    if (this.#state === 'dead') return () => {};
    let isCancelled = false;
    const alarm = this.#time.schedule(delayMs, () => {
      this.#alarms.delete(alarm);
      this.#run(() => {
        if (!isCancelled) callback();
      });
    });
    this.#alarms.add(alarm);
    return () => {
      isCancelled = true; // it may sit among the held ones by now
      this.#alarms.delete(alarm);
      this.#time.cancel(alarm);
    };
  }

  #run(callback: () => void): void {
    if (this.#state === 'running') callback();
    else if (this.#state === 'suspended') this.#held.push(callback);
  }
}

/**
 * Resolves after one turn of the platform's event loop, before which every microtask has run. Taken when
 * the module loads, so that a test's fake timers do not stop it.
 */
const turnOfEventLoop: () => Promise<void> = createTurn();

function createTurn(): () => Promise<void> {
  const { setImmediate } = globalThis as { setImmediate?: (callback: () => void) => unknown };
  if (setImmediate) return () => new Promise((resolve) => void setImmediate(resolve));
  const { port1, port2 } = new MessageChannel();
  const waiting: (() => void)[] = [];
  port1.onmessage = () => waiting.shift()?.();
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      port2.postMessage(undefined);
    });
}
