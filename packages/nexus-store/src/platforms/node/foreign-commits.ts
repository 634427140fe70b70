import { watch, type FSWatcher } from 'node:fs';
import type { Runtime } from '../../core/ports/runtime.ts';
import type { StoreBackend } from '../../core/store/store-backend.ts';

export interface ForeignCommitsOptions {
  /**
   * The database file. With it the commits of other processes are noticed at once; without it they are
   * looked for, often while there are some, once a second while there are none.
   *
   * @defaultValue none
   */
  readonly path?: string;
}

/** After the file was touched: the touch comes before the commit can be seen. Milliseconds. */
const LOOK_AFTER_MS: readonly number[] = [5, 15, 40, 120];
/** Without a watched file: the shortest and the longest time between two looks. */
const FIRST_POLL_MS = 100;
const LONGEST_POLL_MS = 1_000;
/** A refresh costs reads: it takes at most a quarter of the time. */
const REFRESH_SHARE = 3;
const SHORTEST_REST_MS = 20;

/**
 * Notices that another process has committed to the same database, and makes this one look again: its
 * watchers read anew, and what is urgent is sent at once. The file's events are hints and may be missing
 * or too many; the database's own count of commits is the truth.
 */
export class ForeignCommits {
  readonly #runtime: Runtime;
  readonly #backend: StoreBackend;
  readonly #path: string | undefined;
  #watcher: FSWatcher | undefined;
  #known: number | undefined;
  #cancelPoll: (() => void) | undefined;
  #cancelLook: (() => void) | undefined;
  #pollMs = FIRST_POLL_MS;
  /** Which of the looks after a touch comes next. */
  #step = LOOK_AFTER_MS.length;
  /** Monotonic milliseconds before which it does not look again. */
  #restUntil = 0;
  #checking: Promise<void> | undefined;
  #isStopped = false;

  constructor(runtime: Runtime, backend: StoreBackend, options: ForeignCommitsOptions = {}) {
    this.#runtime = runtime;
    this.#backend = backend;
    this.#path = options.path;
  }

  async start(): Promise<void> {
    await this.#backend.open();
    if (this.#isStopped) return;
    this.#known = await this.#backend.foreignCommits();
    this.#watch();
    this.#poll();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelPoll?.();
    this.#cancelLook?.();
    this.#unwatch();
  }

  #watch(): void {
    if (this.#path === undefined || this.#watcher !== undefined || this.#isStopped) return;
    try {
      const watcher = watch(`${this.#path}-wal`, { persistent: false });
      watcher.on('change', (event) => {
        this.#touched();
        // The log was removed and made anew: the next poll watches the new one.
        if (event === 'rename') this.#unwatch();
      });
      watcher.on('error', () => this.#unwatch());
      this.#watcher = watcher;
    } catch {
      // No log yet, or a file system that cannot tell: looking now and then does without.
    }
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #touched(): void {
    this.#step = 0;
    if (this.#cancelLook === undefined) this.#lookSoon();
  }

  #lookSoon(): void {
    const delayMs = LOOK_AFTER_MS[this.#step];
    if (delayMs === undefined || this.#isStopped) return;
    this.#step += 1;
    const restMs = this.#restUntil - this.#runtime.clock.elapsed();
    this.#cancelLook = this.#runtime.timers.after(Math.max(delayMs, restMs), () => {
      void this.#check().finally(() => {
        this.#cancelLook = undefined;
        this.#lookSoon();
      });
    });
  }

  #poll(): void {
    if (this.#isStopped) return;
    this.#cancelPoll = this.#runtime.timers.after(this.#pollMs, () => {
      this.#watch();
      const longest = this.#watcher === undefined ? this.#pollMs * 2 : LONGEST_POLL_MS;
      this.#pollMs = Math.min(longest, LONGEST_POLL_MS);
      void this.#check().finally(() => this.#poll());
    });
  }

  #check(): Promise<void> {
    this.#checking ??= this.#checkNow().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  async #checkNow(): Promise<void> {
    if (this.#isStopped) return;
    const { clock } = this.#runtime;
    try {
      const count = await this.#backend.foreignCommits();
      if (count === this.#known) return;
      this.#known = count;
      this.#pollMs = FIRST_POLL_MS;
      const startedAt = clock.elapsed();
      await this.#backend.refresh();
      const now = clock.elapsed();
      this.#restUntil = now + Math.max(SHORTEST_REST_MS, (now - startedAt) * REFRESH_SHARE);
    } catch (error) {
      if (this.#isStopped) return;
      this.#runtime.logger.log('warn', 'looking for commits of other processes failed', {
        error: String(error),
      });
    }
  }
}
