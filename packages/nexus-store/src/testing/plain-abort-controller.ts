/**
 * The `AbortController` of React Native (the package abort-controller 3): no `reason`, nothing static, no
 * `throwIfAborted`. With `vi.stubGlobal` an app's tests run under it.
 */
export class PlainAbortController {
  readonly signal: AbortSignal = new PlainAbortSignal() as unknown as AbortSignal;

  abort(): void {
    (this.signal as unknown as PlainAbortSignal).abort();
  }
}

class PlainAbortSignal {
  #isAborted = false;
  #listeners: { readonly listener: () => void; readonly once: boolean }[] = [];

  get aborted(): boolean {
    return this.#isAborted;
  }

  addEventListener(_type: 'abort', listener: () => void, options?: { once?: boolean }): void {
    if (this.#listeners.some((known) => known.listener === listener)) return;
    this.#listeners.push({ listener, once: options?.once === true });
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners = this.#listeners.filter((known) => known.listener !== listener);
  }

  abort(): void {
    if (this.#isAborted) return;
    this.#isAborted = true;
    const called = this.#listeners;
    this.#listeners = called.filter(({ once }) => !once);
    for (const { listener } of called) listener();
  }
}
