import { requireOptions } from '../../core/model/arguments.ts';
import { createIds } from '../../core/model/uuid.ts';
import { LOGGER } from '../../core/ports/kinds.ts';
import {
  type Clock,
  type Logger,
  type Random,
  type Runtime,
  type Timers,
} from '../../core/ports/runtime.ts';

export interface StandardRuntimeOptions {
  /** @defaultValue one that writes failures to `console.error`, and nothing else */
  readonly logger?: Logger;
}

/**
 * The runtime of Node, browsers, workers and Hermes, from what all of them have.
 *
 * @throws UsageError `usage/invalid-argument`
 */
export function createStandardRuntime(options: StandardRuntimeOptions = {}): Runtime {
  requireOptions('createStandardRuntime', options, { logger: LOGGER });
  const clock: Clock = { now: () => Date.now(), elapsed };
  const random = standardRandom();
  return {
    clock,
    timers: standardTimers(),
    random,
    ids: createIds(clock, random),
    logger: options.logger ?? failuresToConsole,
  };
}

/** A console logger for those who want to see what happens, failures or not. */
export const consoleLogger: Logger = {
  log: (level, message, fields) => {
    const text = fields === undefined ? message : `${message} ${JSON.stringify(fields)}`;
    console[level](`nexus-store: ${text}`);
  },
};

/**
 * A listener or a conflict handler that throws has nobody to reject to: without a word in the console an app
 * would never hear of it.
 */
const failuresToConsole: Logger = {
  log: (level, message, fields) => {
    if (level === 'error') consoleLogger.log(level, message, fields);
  },
};

/** Hermes of older React Native has no `performance`: then wall time has to do. */
const elapsed: () => number =
  typeof performance === 'undefined' ? () => Date.now() : () => performance.now();

/** Node's timers keep the process alive unless told otherwise; a queue should not, unless it is awaited. */
interface NodeTimer {
  ref?: () => void;
  unref?: () => void;
}

/** Each runtime has its own: what is awaited of one backend is not asked of another. */
function standardTimers(): Timers {
  const set = new Set<NodeTimer>();
  let holders = 0;
  return {
    after: (delayMs, callback) => {
      const timer = setTimeout(() => {
        set.delete(timer);
        callback();
      }, delayMs) as unknown as NodeTimer;
      set.add(timer);
      if (holders === 0) timer.unref?.();
      return () => {
        set.delete(timer);
        clearTimeout(timer as unknown as number);
      };
    },
    yield: () => new Promise((resolve) => nextTurn(resolve)),
    hold: () => {
      holders += 1;
      if (holders === 1) for (const timer of set) timer.ref?.();
      let isHeld = true;
      return () => {
        if (!isHeld) return;
        isHeld = false;
        holders -= 1;
        if (holders === 0) for (const timer of set) timer.unref?.();
      };
    },
  };
}

const nextTurn: (callback: () => void) => void = chooseNextTurn();

/** `setTimeout(0)` waits four milliseconds in browsers once nested; these do not. */
function chooseNextTurn(): (callback: () => void) => void {
  const { setImmediate, RN$Bridgeless: isNewReactNative = false } = globalThis as {
    setImmediate?: (callback: () => void) => void;
    RN$Bridgeless?: boolean;
  };
  // The new architecture of React Native makes it of a microtask: no event would get its turn.
  if (isNewReactNative) return (callback) => void setTimeout(callback, 0);
  if (setImmediate !== undefined) return setImmediate;
  if (typeof MessageChannel === 'undefined') return (callback) => void setTimeout(callback, 0);
  const waiting: (() => void)[] = [];
  const channel = new MessageChannel();
  channel.port1.onmessage = () => waiting.shift()?.();
  return (callback) => {
    waiting.push(callback);
    channel.port2.postMessage(null);
  };
}

const POOL_SIZE = 256;

/** Cryptographic where there is `crypto`: keys made on many devices must never meet. */
function standardRandom(): Random {
  if (typeof crypto === 'undefined' || typeof crypto.getRandomValues !== 'function') {
    return { float: () => Math.random(), uint32: () => Math.floor(Math.random() * 2 ** 32) };
  }
  const pool = new Uint32Array(POOL_SIZE);
  let next = POOL_SIZE;
  const uint32 = (): number => {
    if (next === POOL_SIZE) {
      crypto.getRandomValues(pool);
      next = 0;
    }
    return pool[next++] as number;
  };
  return { float: () => uint32() / 2 ** 32, uint32 };
}
