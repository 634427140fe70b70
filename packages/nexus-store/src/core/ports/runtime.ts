/**
 * Time, chance and names, the only door through which core sees them. With a virtual runtime every
 * interleaving of the engine is decided by a seed.
 *
 * Law: `clock.now` is wall time and may jump both ways. `clock.elapsed` never goes back within one
 * process and may stand still while the device sleeps; budgets use it. Leases and `notBefore` outlive
 * the process, use wall time, and must survive jumps. A timer fires at most once, never before its
 * delay, never synchronously. `yield` resolves after the platform could handle events.
 */
export interface Runtime {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly ids: Ids;
  readonly logger: Logger;
}

export interface Clock {
  /** Wall time, epoch milliseconds. */
  now(): number;
  /** Monotonic milliseconds since some point in this process. */
  elapsed(): number;
}

export interface Timers {
  /** Calls `callback` once after `delayMs`. Returns how to cancel. Must not keep a process alive, but for `hold`. */
  after(delayMs: number, callback: () => void): () => void;
  /** Resolves after the platform's event loop had a turn. */
  yield(): Promise<void>;
  /**
   * From now on, and until what it returns is called, timers that are set keep the process alive: somebody
   * awaits what comes of them. Only where a process could end by itself, such as on Node.
   */
  hold?(): () => void;
}

export interface Random {
  /** Uniform in [0, 1). */
  float(): number;
  /** Uniform 32-bit unsigned integer. */
  uint32(): number;
}

export interface Ids {
  /** A fresh UUIDv7 (RFC 9562). */
  uuid(): string;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface Logger {
  /** Fields are facts such as codes and counts; payloads and credentials never reach a logger. */
  log(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** For those who take what failed from events and rejections only. */
export const silentLogger: Logger = { log: () => {} };
