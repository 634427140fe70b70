import { FUNCTION, requireKind } from '../model/arguments.ts';
import type { EntityId } from '../model/entry.ts';
import { LiveValue, type Live } from '../model/live.ts';
import { isLeaseOver } from '../queue/leases.ts';
import type { LeaseRecord } from '../queue/records.ts';
import type { Watch, Watched, Watchers, WatchState } from './watchers.ts';

/** Reads a watched value anew; `texts` tell whether anything changed. */
export interface Reading<T> {
  readonly value: T;
  readonly texts: readonly (string | null)[];
  /** Once one of these is over, the value is another one without anybody having written. */
  readonly leases?: readonly LeaseRecord[];
}

/** Tells when it is looked at, and when it begins and ends to be listened to. */
class FollowedValue<T> extends LiveValue<T> {
  readonly #follow: () => () => void;
  readonly #onLook: () => void;

  constructor(
    initial: T,
    onError: (error: unknown) => void,
    follow: () => () => void,
    onLook: () => void,
  ) {
    super(initial, onError);
    this.#follow = follow;
    this.#onLook = onLook;
  }

  override get current(): T {
    this.#onLook();
    return super.current;
  }

  override subscribe(listener: (value: T) => void): () => void {
    requireKind('subscribe: listener', listener, FUNCTION);
    const unfollow = this.#follow();
    const stop = super.subscribe(listener);
    let isActive = true;
    return () => {
      if (!isActive) return;
      isActive = false;
      stop();
      unfollow();
    };
  }
}

/** What a watched value depends on. */
export interface WatchTarget {
  /** Rows of this collection. */
  readonly collection: string;
  /** Only this one of them. */
  readonly id?: EntityId;
  /** Not the rows: what waits of them in the queue. */
  readonly isOfQueue?: boolean;
}

const NO_LEASES: readonly LeaseRecord[] = [];
const LOADING = Object.freeze({ status: 'loading', value: undefined, error: undefined });

/**
 * A live view of stored rows. It follows changes while someone listens; reads are joined, so that a
 * burst of writes costs one reading. Without a change of what is stored there is no notification. What one
 * user saw is never shown to the next: the value is the initial one again until it was read anew.
 */
export class WatchedValue<T> implements Watch<T>, Watched {
  readonly collection: string;
  readonly id: EntityId | undefined;
  readonly isOfQueue: boolean;
  readonly state: Live<WatchState<T>>;
  readonly #initial: T;
  readonly #read: () => Promise<Reading<T>>;
  readonly #watchers: Watchers;
  readonly #live: LiveValue<T>;
  readonly #state: LiveValue<WatchState<T>>;
  readonly #onError: (error: unknown) => void;
  #texts: readonly (string | null)[] | undefined;
  /** Whose rows were read. */
  #epoch: number;
  #listeners = 0;
  #isReading = false;
  #isStale = false;
  /** Entries have changed since it was read. */
  #isBehind = false;
  #leases: readonly LeaseRecord[] = NO_LEASES;

  constructor(
    watchers: Watchers,
    target: WatchTarget,
    initial: T,
    read: () => Promise<Reading<T>>,
    onError: (error: unknown) => void,
  ) {
    this.collection = target.collection;
    this.id = target.id;
    this.isOfQueue = target.isOfQueue ?? false;
    this.#watchers = watchers;
    this.#epoch = watchers.epoch;
    this.#initial = initial;
    this.#read = read;
    this.#onError = onError;
    const follow = (): (() => void) => this.#follow();
    const onLook = (): void => this.#onLook();
    this.#live = new FollowedValue(initial, onError, follow, onLook);
    this.#state = new FollowedValue<WatchState<T>>(LOADING, onError, follow, onLook);
    this.state = this.#state;
    this.subscribe = this.subscribe.bind(this);
    this.refresh();
  }

  get current(): T {
    return this.#live.current;
  }

  subscribe(listener: (value: T) => void): () => void {
    return this.#live.subscribe(listener);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<T> {
    return this.#live[Symbol.asyncIterator]();
  }

  refresh(): void {
    this.#isStale = true;
    this.#isBehind = false;
    if (!this.#isReading) void this.#readAgain();
  }

  onEntries(): void {
    // A list waits for the next look, so that a burst of commits costs one reading.
    if (this.id === undefined) this.#isBehind = true;
    else this.refresh();
  }

  onLook(now: number): void {
    if (this.#isBehind || this.#leases.some((lease) => isLeaseOver(lease, now))) this.refresh();
  }

  forget(): void {
    const { epoch } = this.#watchers;
    this.#texts = undefined;
    this.#leases = NO_LEASES;
    this.#state.set(LOADING);
    this.#live.set(this.#initial);
    // Last: a listener of the one that looks at the other finds it as empty.
    this.#epoch = epoch;
  }

  /** Nobody told it of another user while nobody listened. */
  #onLook(): void {
    if (this.#epoch !== this.#watchers.epoch) this.forget();
  }

  close(): void {
    this.#live.close();
    this.#state.close();
  }

  #follow(): () => void {
    this.#onLook();
    if (this.#listeners === 0 && !this.#watchers.isClosed) {
      this.#watchers.add(this);
      // What happened while nobody listened was not followed.
      this.refresh();
    }
    this.#listeners += 1;
    return () => {
      this.#listeners -= 1;
      if (this.#listeners === 0) this.#watchers.remove(this);
    };
  }

  async #readAgain(): Promise<void> {
    this.#isReading = true;
    // Who makes it and listens in one turn causes one reading, not two.
    await Promise.resolve();
    while (this.#isStale && !this.#watchers.isClosed) {
      this.#isStale = false;
      const { epoch } = this.#watchers;
      try {
        const reading = await this.#read();
        this.#onLook();
        if (epoch === this.#watchers.epoch) this.#publish(reading);
        else this.#isStale = true;
      } catch (error) {
        if (epoch === this.#watchers.epoch) this.#fail(error);
        else this.#isStale = true;
      }
    }
    this.#isReading = false;
  }

  #publish({ value, texts, leases = NO_LEASES }: Reading<T>): void {
    this.#leases = leases;
    const isSame = isUnchanged(this.#texts, texts);
    this.#texts = texts;
    if (!isSame) this.#live.set(value);
    if (!isSame || this.#state.current.status !== 'ready')
      this.#state.set({ status: 'ready', value: this.#live.current, error: undefined });
  }

  #fail(error: unknown): void {
    if (this.#watchers.isClosed) return;
    this.#onError(error);
    const { value } = this.#state.current;
    this.#state.set({ status: 'failed', value, error });
  }
}

function isUnchanged(
  before: readonly (string | null)[] | undefined,
  after: readonly (string | null)[],
): boolean {
  if (before === undefined || before.length !== after.length) return false;
  return after.every((text, index) => text === before[index]);
}
