import type { Timers } from '../../core/ports/runtime.ts';

/** Tells listeners of changes that nothing reports by itself. Looks only while somebody listens. */
export class ChangePoll {
  readonly #timers: Timers;
  readonly #pollMs: number;
  readonly #look: () => Promise<string>;
  readonly #listeners = new Set<() => void>();
  #known: string | undefined;
  #cancel: (() => void) | undefined;

  /** @param look what is true now, as a text that differs when something has changed */
  constructor(timers: Timers, pollMs: number, look: () => Promise<string>) {
    this.#timers = timers;
    this.#pollMs = pollMs;
    this.#look = look;
  }

  subscribe(listener: () => void): () => void {
    const own = (): void => listener();
    this.#listeners.add(own);
    if (this.#listeners.size === 1) void this.check();
    return () => {
      this.#listeners.delete(own);
      if (this.#listeners.size > 0) return;
      this.#cancel?.();
      this.#cancel = undefined;
      this.#known = undefined;
    };
  }

  /** Looks now: something said that there may be news. */
  async check(): Promise<void> {
    this.#cancel?.();
    const found = await this.#look().catch(() => this.#known);
    if (this.#listeners.size === 0) return;
    const isNews = this.#known !== undefined && found !== this.#known;
    this.#known = found;
    this.#cancel?.();
    this.#cancel = this.#timers.after(this.#pollMs, () => void this.check());
    if (isNews) for (const listener of [...this.#listeners]) listener();
  }
}
