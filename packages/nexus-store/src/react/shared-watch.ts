import { useMemo, useState, useSyncExternalStore } from 'react';
import { encodeValue } from '../core/model/value-codec.ts';
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
  /** `value` is the answer to the question before: this one is just being read. See `keepsPrevious`. */
  readonly isPrevious: boolean;
};

/** Servers read nothing, and hydration begins where the server ended. */
export const LOADING: Reading<never> = Object.freeze({
  status: 'loading',
  value: undefined,
  error: undefined,
  refresh: () => {},
  isPrevious: false,
});

/** How long a value outlives its last reader, for the next screen to begin with. Unit: milliseconds. */
const KEPT_MS = 5_000;

/** One watch for all components that ask the same. Made while rendering, it reads once somebody listens. */
class SharedWatch<T> {
  /** Of what it was asked. */
  readonly owner: object;
  readonly #open: () => Watch<T> | undefined;
  readonly #keep: (isInUse: boolean) => void;
  #watch: Watch<T> | undefined;
  #seen: WatchState<T> | undefined;
  #reading: Reading<T> = LOADING;
  #listeners = 0;

  constructor(owner: object, open: () => Watch<T> | undefined, keep: (isInUse: boolean) => void) {
    this.owner = owner;
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
        state.status === 'loading'
          ? LOADING
          : { ...state, refresh: () => this.#watch?.refresh(), isPrevious: false };
    }
    return this.#reading;
  };
}

type Shared = Map<string, SharedWatch<unknown>>;

const SHARED = new WeakMap<object, Shared>();

/** What a hook asks for. */
interface Question<T> {
  /** The store or backend that is read. */
  readonly owner: object;
  readonly backend: StoreBackend;
  /** What is read of it: those who ask the same share one watch. */
  readonly asked: readonly unknown[];
  /** Called once somebody listens; undefined: there is nothing to watch. */
  readonly open: () => Watch<T> | undefined;
  /** Called while rendering, of a question that is new: throws what `open` would throw later. */
  readonly check?: () => unknown;
}

/** @throws UsageError `usage/unsupported-value` for a question that is no plain value */
export function useWatch<T>(question: Question<T>): Reading<T> {
  return useShared(sharedWatch(question));
}

/**
 * The same; with `keepsPrevious`, and as long as the answer is not known, it gives the answer to the question
 * before. That one is followed while it is shown: what is not for the eyes of another user goes at once.
 */
export function useWatchOrPrevious<T>(question: Question<T>, keepsPrevious: boolean): Reading<T> {
  const shared = sharedWatch(question);
  const reading = useShared(shared);
  const [answered, setAnswered] = useState<SharedWatch<T>>();
  const isLoading = reading.status === 'loading';
  const next = keepsPrevious ? (isLoading ? answered : shared) : undefined;
  if (next !== answered) setAnswered(next);
  // Another store has other entities.
  const isKept = isLoading && next !== undefined && next.owner === shared.owner;
  const before = useShared(
    isKept ? next : (NOTHING as Pick<SharedWatch<T>, 'subscribe' | 'current'>),
  );
  const previous = useMemo((): Reading<T> => ({ ...before, isPrevious: true }), [before]);
  return before.status === 'ready' ? previous : reading;
}

const serverReading = (): Reading<never> => LOADING;

function useShared<T>({
  subscribe,
  current,
}: Pick<SharedWatch<T>, 'subscribe' | 'current'>): Reading<T> {
  return useSyncExternalStore(subscribe, current, serverReading);
}

/** Stands for a watch where there is none. */
const NOTHING = { subscribe: () => () => {}, current: serverReading };

function sharedWatch<T>({ owner, backend, asked, open, check }: Question<T>): SharedWatch<T> {
  const key = encodeValue(asked);
  const { timers } = backend.runtime;
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
  const made = new SharedWatch(owner, open, keep);
  all.set(key, made as SharedWatch<unknown>);
  keep(false);
  return made;
}
