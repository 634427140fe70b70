import { backoffDelayMs, DEFAULT_BACKOFF } from '../../core/queue/backoff.ts';
import type { Random } from '../../core/ports/runtime.ts';

/** The longest a server may ask to wait. */
const MAX_RETRY_AFTER_MS = 86_400_000;

/**
 * A device's queue, as far as a fleet is concerned: when each write was made, and the gate of its
 * endpoint. The rules of the gate are the engine's (`core/sync/gate.ts`): full jitter over consecutive
 * failures, and what the server asked for as a floor.
 */
export class FleetQueue {
  /** By rank, when each waiting write was saved. */
  readonly waiting: readonly [number[], number[], number[], number[]] = [[], [], [], []];
  readonly #random: Random;
  #failures = 0;
  #until = 0;
  #retryAfterUntil = 0;
  /** The last failure was one of the way, and no answer of the server. */
  isHeldByWay = false;

  constructor(random: Random) {
    this.#random = random;
  }

  get size(): number {
    const [critical, high, normal, low] = this.waiting;
    return critical.length + high.length + normal.length + low.length;
  }

  get counts(): readonly [number, number, number, number] {
    const [critical, high, normal, low] = this.waiting;
    return [critical.length, high.length, normal.length, low.length];
  }

  /** When the queue wants the next attempt; null if nothing waits. */
  nextAttemptAt(now: number): number | null {
    return this.size === 0 ? null : Math.max(now, this.#until);
  }

  /** A server's wish to be left alone counts even for those who come unasked. */
  mayTry(now: number): boolean {
    return now >= this.#retryAfterUntil;
  }

  noteFailure(now: number, isWay: boolean, retryAfterMs: number | null): void {
    const delayMs = backoffDelayMs(DEFAULT_BACKOFF, this.#failures, () => this.#random.float());
    this.#failures += 1;
    this.isHeldByWay = isWay;
    if (retryAfterMs !== null)
      this.#retryAfterUntil = now + Math.min(retryAfterMs, MAX_RETRY_AFTER_MS);
    this.#until = Math.max(now + delayMs, this.#retryAfterUntil);
  }

  noteSuccess(): void {
    this.#failures = 0;
    this.#until = 0;
    this.isHeldByWay = false;
  }
}
