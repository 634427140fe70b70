import type { LockManagerLike } from '../browser.ts';

interface Request {
  readonly owner: object;
  readonly body: () => Promise<void>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** The exclusive Web Locks of one origin: first come, first served, with steal, abort and death. */
export class FakeLocks {
  readonly #held = new Map<string, Request>();
  readonly #waiting = new Map<string, Request[]>();
  /** Names in the order in which they were granted. */
  readonly granted: object[] = [];

  /** The lock manager as one context sees it. */
  of(owner: object): LockManagerLike {
    return {
      request: (name, options, body) =>
        new Promise((resolve, reject) => {
          if (options.signal?.aborted === true) {
            reject(abortError());
            return;
          }
          const request: Request = { owner, body, resolve, reject };
          if (options.steal === true) {
            this.#held.get(name)?.reject(abortError());
            this.#grant(name, request);
            return;
          }
          const queue = this.#waiting.get(name) ?? [];
          this.#waiting.set(name, [...queue, request]);
          options.signal?.addEventListener(
            'abort',
            () => {
              if (this.#forget(name, request)) reject(abortError());
            },
            { once: true },
          );
          this.#next(name);
        }),
      query: async () => ({ held: [...this.#held.keys()].map((name) => ({ name })) }),
    };
  }

  holder(name: string): object | undefined {
    return this.#held.get(name)?.owner;
  }

  /** A context is gone: what it holds is released, what it waits for is forgotten. */
  onDeath(owner: object): void {
    for (const [name, queue] of this.#waiting)
      this.#waiting.set(
        name,
        queue.filter((request) => request.owner !== owner),
      );
    for (const [name, request] of this.#held) {
      if (request.owner !== owner) continue;
      this.#held.delete(name);
      this.#next(name);
    }
  }

  #forget(name: string, request: Request): boolean {
    const queue = this.#waiting.get(name) ?? [];
    this.#waiting.set(
      name,
      queue.filter((other) => other !== request),
    );
    return queue.includes(request);
  }

  #next(name: string): void {
    const [first, ...rest] = this.#waiting.get(name) ?? [];
    if (first === undefined || this.#held.has(name)) return;
    this.#waiting.set(name, rest);
    this.#grant(name, first);
  }

  #grant(name: string, request: Request): void {
    this.#held.set(name, request);
    this.granted.push(request.owner);
    // A browser calls back in a task of its own, never within `request`.
    void Promise.resolve().then(async () => {
      try {
        request.resolve(await request.body());
      } catch (error) {
        request.reject(error);
      }
      if (this.#held.get(name) !== request) return;
      this.#held.delete(name);
      this.#next(name);
    });
  }
}

function abortError(): Error {
  return Object.assign(new Error('the request was aborted'), { name: 'AbortError' });
}
