import { isNexusError } from '../model/errors.ts';
import type { Runtime, Timers } from '../ports/runtime.ts';
import { MAX_RETRY_AFTER_MS } from './gate.ts';
import type { Remote } from '../ports/remote.ts';
import { backoffDelayMs, type Backoff } from '../queue/backoff.ts';

/** Hints that follow one another are worth one look at the server. */
const GATHER_MS = 250;
/** A stream that lasted this long worked: the next one begins with a short wait again. */
const STEADY_MS = 60_000;

/** A request for a stream that has brought nothing for so long is given up: nobody may have got it. */
const OPENING_MS = 30_000;
/**
 * A stream without a hint for so long is opened anew. A connection whose other end is gone, as after a
 * change of networks, looks like one on which nothing happens.
 */
const SILENCE_MS = 15 * 60_000;

export interface HintListenerOptions {
  readonly runtime: Runtime;
  readonly remote: Remote;
  readonly backoff: Backoff;
  readonly principal: () => string | null;
  /** How long the server still wants to be left alone. Never rejects. */
  readonly askedToWaitMs: () => Promise<number>;
  /** False while the server wants to be left alone, as far as this process knows. */
  readonly mayCall: () => boolean;
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
  /** Until when the server wants no stream, on the monotonic clock. */
  #quietUntil = -Infinity;

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
        if (hasNoStream(error)) return;
        // What it says of streams binds streams alone: it may only have too many of them.
        this.#quietUntil = runtime.clock.elapsed() + retryAfterOf(error);
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
    const life = new StreamLife(runtime.timers, signal);
    const onHint = (collection: string | null): void => {
      if (life.signal.aborted) return;
      life.prolong();
      this.#gather(collection);
    };
    try {
      const { signal: stillWanted } = life;
      const context = {
        signal: stillWanted,
        maySend: () => !stillWanted.aborted && this.#options.mayCall(),
        now: runtime.clock.now(),
        principal: principal(),
      };
      await remote.listen(onHint, context);
    } finally {
      life.end();
    }
  }

  async #askedToWaitMs(): Promise<number> {
    const ownMs = this.#quietUntil - this.#options.runtime.clock.elapsed();
    return Math.max(ownMs, await this.#options.askedToWaitMs());
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

/** Ends a stream that gives no sign of life, and with it everything it set. */
class StreamLife {
  readonly #timers: Timers;
  readonly #outer: AbortSignal;
  readonly #controller = new AbortController();
  readonly #onAbort = (): void => this.#controller.abort('stopped');
  #cancel: () => void;

  constructor(timers: Timers, outer: AbortSignal) {
    this.#timers = timers;
    this.#outer = outer;
    this.#cancel = timers.after(OPENING_MS, () => this.#controller.abort('silent'));
    if (outer.aborted) this.#onAbort();
    else outer.addEventListener('abort', this.#onAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  prolong(): void {
    this.#cancel();
    this.#cancel = this.#timers.after(SILENCE_MS, () => this.#controller.abort('silent'));
  }

  end(): void {
    this.#cancel();
    this.#outer.removeEventListener('abort', this.#onAbort);
  }
}

/** The server has no such stream: asking again would not give it one. */
function hasNoStream(error: unknown): boolean {
  if (!isNexusError(error, 'remote/rejected')) return false;
  const { status } = error as { readonly status?: number };
  return status === undefined || [404, 405, 410, 501].includes(status);
}

function retryAfterOf(error: unknown): number {
  const { retryAfterMs = 0 } = error as { readonly retryAfterMs?: number };
  return Math.min(Math.max(0, retryAfterMs), MAX_RETRY_AFTER_MS);
}
