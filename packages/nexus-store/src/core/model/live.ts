import { FUNCTION, requireKind } from './arguments.ts';

/**
 * A value that changes over time: read it now, or be told of changes. A slow reader gets only the
 * latest value, never a backlog. Fits React's `useSyncExternalStore(live.subscribe, () => live.current)`.
 */
export interface Live<T> {
  readonly current: T;
  /** Calls `listener` with the current value at once, then after every change. Returns how to stop. */
  subscribe(listener: (value: T) => void): () => void;
  /** Yields the current value, then each later one; a value that was overtaken is skipped. */
  [Symbol.asyncIterator](): AsyncIterableIterator<T>;
}

/** The writing side of a `Live`. */
export class LiveValue<T> implements Live<T> {
  #current: T;
  readonly #listeners = new Set<(value: T) => void>();
  readonly #onError: (error: unknown) => void;
  #closed = false;
  #closers = new Set<() => void>();

  /** @param onError receives what a listener throws; the other listeners are still called */
  constructor(initial: T, onError: (error: unknown) => void) {
    this.#current = initial;
    this.#onError = onError;
    this.subscribe = this.subscribe.bind(this);
  }

  get current(): T {
    return this.#current;
  }

  get hasSubscribers(): boolean {
    return this.#listeners.size > 0;
  }

  set(value: T): void {
    if (this.#closed || Object.is(value, this.#current)) return;
    this.#current = value;
    for (const listener of [...this.#listeners]) this.#call(listener);
  }

  subscribe(listener: (value: T) => void): () => void {
    requireKind('subscribe: listener', listener, FUNCTION);
    // Wrapped, so that one function subscribed twice is called and removed twice.
    const own = (value: T): void => listener(value);
    this.#listeners.add(own);
    this.#call(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  /** Ends every async iteration and drops the listeners. `current` stays readable. */
  close(): void {
    this.#closed = true;
    this.#listeners.clear();
    for (const close of [...this.#closers]) close();
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<T> {
    let fresh = false;
    let done = false;
    let wake: (() => void) | undefined;
    const notify = (): void => {
      fresh = true;
      wake?.();
    };
    const unsubscribe = this.subscribe(notify);
    const finish = (): void => {
      done = true;
      unsubscribe();
      this.#closers.delete(finish);
      wake?.();
    };
    if (this.#closed) finish();
    else this.#closers.add(finish);
    const next = async (): Promise<IteratorResult<T>> => {
      while (!fresh && !done) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (done) return { done: true, value: undefined };
      fresh = false;
      return { done: false, value: this.#current };
    };
    return {
      next,
      return: async () => {
        finish();
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  #call(listener: (value: T) => void): void {
    try {
      listener(this.#current);
    } catch (error) {
      this.#onError(error);
    }
  }
}
