import type { OutgoingEntry, Outcome, Remote } from 'nexus-store';

export type Answer = (entry: OutgoingEntry) => Outcome;

const applied: Answer = () => ({ kind: 'applied', version: '1' });

/**
 * A server without a network: answers at once and stops the run after some requests. The time from one
 * request to the next is what queue and engine cost: settle one batch, claim the next, make it ready.
 */
export class InstantRemote implements Remote {
  readonly capabilities: Remote['capabilities'];
  #answer: Answer = applied;
  #stopAfter = Number.POSITIVE_INFINITY;
  #controller = new AbortController();
  #lastAt: number | undefined;
  #gapsMs: number[] = [];
  #requests = 0;

  constructor(maxBatch: number) {
    this.capabilities = { pull: false, hints: false, maxBatch };
  }

  /** Prepares the next run. Its signal aborts with the answer to request number `stopAfter`. */
  arm(stopAfter: number, answer: Answer = applied): AbortSignal {
    this.#answer = answer;
    this.#stopAfter = stopAfter;
    this.#controller = new AbortController();
    this.#lastAt = undefined;
    this.#gapsMs = [];
    this.#requests = 0;
    return this.#controller.signal;
  }

  /** Milliseconds between the full requests of the last run. */
  get gapsMs(): readonly number[] {
    return this.#gapsMs;
  }

  get requests(): number {
    return this.#requests;
  }

  async push(batch: readonly OutgoingEntry[]): Promise<readonly Outcome[]> {
    const now = performance.now();
    const isFull = batch.length === this.capabilities.maxBatch;
    if (this.#lastAt !== undefined && isFull) this.#gapsMs.push(now - this.#lastAt);
    this.#lastAt = isFull ? now : undefined;
    this.#requests += 1;
    if (this.#requests >= this.#stopAfter) this.#controller.abort();
    return batch.map((entry) => this.#answer(entry));
  }

  pull(): Promise<never> {
    return Promise.reject(new Error('this server is not asked'));
  }

  async listen(): Promise<void> {}

  async close(): Promise<void> {}
}
