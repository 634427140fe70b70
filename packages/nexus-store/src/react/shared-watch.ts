import { useSyncExternalStore } from 'react';
import { encodeValue } from '../core/model/value-codec.ts';
import type { Timers } from '../core/ports/runtime.ts';
import type { StoreBackend } from '../core/store/store-backend.ts';
import type { Watch, WatchState } from '../core/store/watchers.ts';

/**
 * What a hook knows of something stored.
 *
 * - `loading`: not read yet. `value` is undefined.
 * - `ready`: `value` is what this device has; nothing found is not the same as nothing known.
 * - `failed`: it could not be read. `error` says why, `value` is what was read before, if anything was.
 *
 * The same object as long as nothing changes.
 */
export type Reading<T> = WatchState<T> & {
  /** Reads again, for a button beside an error. Changes are followed without it. */
  readonly refresh: () => void;
};

/** Servers read nothing, and hydration begins where the server ended. */
export const LOADING: Reading<never> = Object.freeze({
  status: 'loading',
  value: undefined,
  error: undefined,
  refresh: () => {},
});

/** How long a value outlives its last reader, for the next screen to begin with. Unit: milliseconds. */
const KEPT_MS = 5_000;

/** One watch for all components that ask the same. Made while rendering, it reads once somebody listens. */
class SharedWatch<T> {
  readonly #open: () => Watch<T> | undefined;
  readonly #keep: (isInUse: boolean) => void;
  #watch: Watch<T> | undefined;
  #seen: WatchState<T> | undefined;
  #reading: Reading<T> = LOADING;
  #listeners = 0;

  constructor(open: () => Watch<T> | undefined, keep: (isInUse: boolean) => void) {
    this.#open = open;
    this.#keep = keep;
  }

  readonly subscribe = (onChange: () => void): (() => void) => {
    this.#watch ??= this.#open();
    this.#listeners += 1;
    this.#keep(true);
    const stop = this.#watch?.state.subscribe(onChange);
    return () => {
      stop?.();
      this.#listeners -= 1;
      if (this.#listeners === 0) this.#keep(false);
    };
  };

  readonly current = (): Reading<T> => {
    const state = this.#watch?.state.current;
    if (state !== undefined && state !== this.#seen) {
      this.#seen = state;
      this.#reading =
        state.status === 'loading' ? LOADING : { ...state, refresh: () => this.#watch?.refresh() };
    }
    return this.#reading;
  };
}

type Shared = Map<string, SharedWatch<unknown>>;

const SHARED = new WeakMap<object, Shared>();

/**
 * @param owner the store or backend that is read
 * @param question what is read of it: those who ask the same share one watch
 * @param open called once somebody listens; undefined: there is nothing to watch
 * @param check called while rendering, of a question that is new: throws what `open` would throw later
 * @throws UsageError `usage/unsupported-value` for a question that is no plain value
 */
export function useWatch<T>(
  owner: object,
  { runtime }: StoreBackend,
  question: readonly unknown[],
  open: () => Watch<T> | undefined,
  check?: () => unknown,
): Reading<T> {
  const shared = sharedWatch(owner, runtime.timers, encodeValue(question), open, check);
  return useSyncExternalStore(shared.subscribe, shared.current, serverReading);
}

const serverReading = (): Reading<never> => LOADING;

function sharedWatch<T>(
  owner: object,
  timers: Timers,
  key: string,
  open: () => Watch<T> | undefined,
  check?: () => unknown,
): SharedWatch<T> {
  const all: Shared = SHARED.get(owner) ?? new Map();
  SHARED.set(owner, all);
  const known = all.get(key) as SharedWatch<T> | undefined;
  if (known !== undefined) return known;
  check?.();
  let forget: (() => void) | undefined;
  const keep = (isInUse: boolean): void => {
    forget?.();
    forget = undefined;
    // Forgotten while nobody listened, and now somebody does again.
    if (isInUse && !all.has(key)) all.set(key, made as SharedWatch<unknown>);
    if (isInUse) return;
    // Also a rendering that was never shown ends here.
    forget = timers.after(KEPT_MS, () => {
      if (all.get(key) === (made as SharedWatch<unknown>)) all.delete(key);
    });
  };
  const made = new SharedWatch(open, keep);
  all.set(key, made as SharedWatch<unknown>);
  keep(false);
  return made;
}
