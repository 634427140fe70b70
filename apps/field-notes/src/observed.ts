import { useSyncExternalStore } from 'react';

/** A value outside of React that components follow. */
export class Observed<V> {
  readonly #listeners = new Set<() => void>();
  #current: V;

  constructor(initial: V) {
    this.#current = initial;
  }

  get current(): V {
    return this.#current;
  }

  set(value: V): void {
    this.#current = value;
    for (const listener of this.#listeners) listener();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
}

export function useObserved<V>(observed: Observed<V>): V {
  return useSyncExternalStore(observed.subscribe, () => observed.current);
}
