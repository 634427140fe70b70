import { isNexusError } from '../model/errors.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { Remote } from '../ports/remote.ts';
import { backoffDelayMs, type Backoff } from '../queue/backoff.ts';

/** Hints that follow one another are worth one look at the server. */
const GATHER_MS = 250;
/** A stream that lasted this long worked: the next one begins with a short wait again. */
const STEADY_MS = 60_000;

export interface HintListenerOptions {
  readonly runtime: Runtime;
  readonly remote: Remote;
  readonly backoff: Backoff;
  readonly principal: () => string | null;
  /** How long the server still wants to be left alone. */
  readonly askedToWaitMs: () => Promise<number>;
  /** Something changed on the server: in these collections, or (null) nobody knows where. */
  readonly onHints: (collections: ReadonlySet<string> | null) => void;
}

/**
 * Listens to what the server says of changes, while the app is in front. A hint is only that: it
 * triggers a pull, and one that is lost costs nothing but time.
 */
export class HintListener {
  readonly #options: HintListenerOptions;
  readonly #hinted = new Set<string | null>();
  #controller: AbortController | undefined;
  #cancelGather: (() => void) | undefined;
  #hurry: () => void = () => {};

  constructor(options: HintListenerOptions) {
    this.#options = options;
  }

  /** Begins to listen as the current user, or anew. */
  start(): void {
    this.stop();
    const controller = new AbortController();
    this.#controller = controller;
    void this.#listen(controller.signal);
  }

  stop(): void {
    this.#controller?.abort('stopped');
    this.#controller = undefined;
    this.#cancelGather?.();
    this.#cancelGather = undefined;
    this.#hinted.clear();
  }

  /** The network may be back: a wait between two streams ends. */
  wake(): void {
    this.#hurry();
  }

  async #listen(signal: AbortSignal): Promise<void> {
    const { runtime, backoff } = this.#options;
    for (let failures = 0; !signal.aborted; failures += 1) {
      const begunAt = runtime.clock.elapsed();
      try {
        await this.#stream(signal);
      } catch (error) {
        // The server has no such stream: asking again would not give it one.
        if (isNexusError(error, 'remote/rejected')) return;
      }
      if (signal.aborted) return;
      if (runtime.clock.elapsed() - begunAt >= STEADY_MS) failures = 0;
      const delayMs = backoffDelayMs(backoff, failures, () => runtime.random.float());
      await this.#wait(Math.max(delayMs, await this.#askedToWaitMs()), signal);
    }
  }

  async #stream(signal: AbortSignal): Promise<void> {
    const { remote, runtime, principal } = this.#options;
    const asked = await this.#askedToWaitMs();
    if (asked > 0) return;
    const onHint = (collection: string | null): void => {
      if (!signal.aborted) this.#gather(collection);
    };
    await remote.listen(onHint, { signal, now: runtime.clock.now(), principal: principal() });
  }

  async #askedToWaitMs(): Promise<number> {
    try {
      return await this.#options.askedToWaitMs();
    } catch {
      // The storage is closing or busy; the wait between two streams does for that too.
      return 0;
    }
  }

  #gather(collection: string | null): void {
    this.#hinted.add(collection);
    this.#cancelGather ??= this.#options.runtime.timers.after(GATHER_MS, () => {
      this.#cancelGather = undefined;
      const hinted = new Set(this.#hinted);
      this.#hinted.clear();
      this.#options.onHints(hinted.has(null) ? null : (hinted as Set<string>));
    });
  }

  #wait(delayMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        signal.removeEventListener('abort', end);
        this.#hurry = () => {};
        resolve();
      };
      const cancel = this.#options.runtime.timers.after(delayMs, end);
      this.#hurry = end;
      if (signal.aborted) end();
      else signal.addEventListener('abort', end, { once: true });
    });
  }
}
