import type { Runtime } from '../../core/ports/runtime.ts';
import type { StoreBackend } from '../../core/store/store-backend.ts';

/** A refresh costs reads of a database that all contexts share: it takes at most a quarter of the time. */
const REFRESH_SHARE = 3;
const SHORTEST_REST_MS = 50;
/** What nobody sees may be older. */
const HIDDEN_REST_MS = 1_000;
/** Without hints: how often a page that is seen looks whether somebody has committed. */
const POLL_MS = 1_000;

/**
 * Follows what other contexts commit to the same database: a run under way looks again at once, and
 * watchers, counts and timers soon, as fast as reading them anew allows.
 */
export class ForeignChanges {
  readonly #runtime: Runtime;
  readonly #backend: StoreBackend;
  readonly #isSeen: () => boolean;
  #cancelTimer: (() => void) | undefined;
  #cancelPoll: (() => void) | undefined;
  #refreshing: Promise<void> | undefined;
  #isStale = false;
  #isStopped = false;
  /** Monotonic milliseconds before which it does not look again. */
  #restUntil = 0;
  #known: number | undefined;

  constructor(runtime: Runtime, backend: StoreBackend, isSeen: () => boolean) {
    this.#runtime = runtime;
    this.#backend = backend;
    this.#isSeen = isSeen;
  }

  /** Another context says that it has committed. */
  onHint(): void {
    if (this.#isStopped || !this.#backend.isOpen) return;
    this.#backend.lookAgain();
    this.#isStale = true;
    this.#refreshSoon();
  }

  /** People look at this page again: what was put off is read now. */
  onSeen(): void {
    if (this.#isStopped || !this.#backend.isOpen) return;
    this.#restUntil = 0;
    this.#isStale = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#refreshSoon();
  }

  /** For browsers in which contexts cannot tell each other: looks by itself, while people look too. */
  poll(): void {
    if (this.#isStopped) return;
    this.#cancelPoll = this.#runtime.timers.after(POLL_MS, () => {
      void this.#lookForCommits().finally(() => this.poll());
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
    this.#cancelPoll?.();
  }

  #refreshSoon(): void {
    if (this.#refreshing !== undefined || this.#cancelTimer !== undefined) return;
    const restMs = this.#restUntil - this.#runtime.clock.elapsed();
    if (restMs <= 0) {
      this.#refresh();
      return;
    }
    this.#cancelTimer = this.#runtime.timers.after(restMs, () => {
      this.#cancelTimer = undefined;
      this.#refresh();
    });
  }

  #refresh(): void {
    if (this.#isStopped) return;
    this.#isStale = false;
    const { clock } = this.#runtime;
    const startedAt = clock.elapsed();
    this.#refreshing = this.#backend
      .refresh()
      .catch((error: unknown) => this.#log(error))
      .finally(() => {
        const now = clock.elapsed();
        const leastMs = this.#isSeen() ? SHORTEST_REST_MS : HIDDEN_REST_MS;
        this.#restUntil = now + Math.max(leastMs, (now - startedAt) * REFRESH_SHARE);
        this.#refreshing = undefined;
        if (this.#isStale && !this.#isStopped) this.#refreshSoon();
      });
  }

  async #lookForCommits(): Promise<void> {
    if (!this.#backend.isOpen || !this.#isSeen()) return;
    try {
      const count = await this.#backend.foreignCommits();
      const isNews = this.#known !== undefined && count !== this.#known;
      this.#known = count;
      if (isNews) this.onHint();
    } catch (error) {
      this.#log(error);
    }
  }

  #log(error: unknown): void {
    if (this.#isStopped) return;
    this.#runtime.logger.log('warn', 'looking for what other tabs wrote failed', {
      error: String(error),
    });
  }
}
