import { LiveValue, type Live } from '../../core/model/live.ts';
import type { Runtime } from '../../core/ports/runtime.ts';
import type { RegistrationLike } from './browser.ts';

/** What the browser answered when it was asked; `unknown` until then. Refusals may end. */
export type SyncGrant = 'unknown' | 'granted' | 'refused' | 'absent';

/** What the browser does for this app while no page of it is open. */
export interface BrowserSupport {
  /** One-off sync events, when there is a network again. */
  readonly backgroundSync: SyncGrant;
  /** Sync events from time to time; browsers grant them to installed apps only. */
  readonly periodicSync: SyncGrant;
}

/**
 * How many tags a request takes in turn. Chromium gives no event for a tag that it has already, and one that
 * is registered again while its event is under way stays behind like that: it would swallow every request
 * until the network changes. A tag that is new always gives one.
 */
const TURNS = 4;

/** The request of a one-off tag. */
export function requestOfTag(tag: string): string {
  return tag.replace(/#\d$/, '');
}

/**
 * Registers sync events with the browser. Whether it can is found out by trying: some browsers have the
 * interface and refuse every call.
 */
export class BrowserSync {
  readonly #runtime: Runtime;
  readonly #support: LiveValue<BrowserSupport>;
  readonly #ownTags: ReadonlySet<string>;
  readonly #wanted = new Map<string, number | null>();
  #registration: RegistrationLike | undefined;
  readonly #busy = new Set<string>();
  #turn: number;

  /**
   * @param registration of the service worker; undefined where the browser has no such thing
   * @param ownTags the requests that are made here: what an earlier page asked for is known by them
   */
  constructor(
    runtime: Runtime,
    registration: Promise<RegistrationLike> | undefined,
    ownTags: readonly string[],
  ) {
    this.#runtime = runtime;
    this.#ownTags = new Set(ownTags);
    // Another page begins elsewhere.
    this.#turn = runtime.random.uint32() % TURNS;
    const grant: SyncGrant = registration === undefined ? 'absent' : 'unknown';
    this.#support = new LiveValue<BrowserSupport>(
      { backgroundSync: grant, periodicSync: grant },
      (error) => this.#log('a listener failed', error),
    );
    registration?.then(
      (ready) => this.#onReady(ready),
      (error: unknown) => this.#log('the service worker cannot be reached', error),
    );
  }

  get support(): Live<BrowserSupport> {
    return this.#support;
  }

  /**
   * Asks for a sync event as soon as there is a network. Calls the browser at once, so that it works in the
   * last moments of a page. Resolves with whether the browser has taken it; never rejects.
   */
  async once(tag: string): Promise<boolean> {
    const registration = this.#registration;
    if (registration === undefined) {
      this.#wanted.set(tag, null);
      return false;
    }
    const ownTag = this.#nextTag(tag);
    return this.#try('backgroundSync', registration.sync, (sync) => sync.register(ownTag));
  }

  /** Holds while the event of this tag is under way: what is asked for meanwhile takes another one. */
  async during<R>(tag: string, work: () => Promise<R>): Promise<R> {
    this.#busy.add(tag);
    try {
      return await work();
    } finally {
      this.#busy.delete(tag);
    }
  }

  #nextTag(tag: string): string {
    this.#turn = (this.#turn + 1) % TURNS;
    const next = `${tag}#${this.#turn}`;
    return this.#busy.has(next) && this.#busy.size < TURNS ? this.#nextTag(tag) : next;
  }

  /** Asks for a sync event from time to time, at most once in the interval. */
  async periodic(tag: string, minIntervalMs: number): Promise<boolean> {
    const registration = this.#registration;
    if (registration === undefined) {
      this.#wanted.set(tag, minIntervalMs);
      return false;
    }
    const minInterval = Math.ceil(minIntervalMs);
    return this.#try('periodicSync', registration.periodicSync, (sync) =>
      sync.register(tag, { minInterval }),
    );
  }

  /** Takes a request back; one-off ones cannot be, and find nothing to do. */
  async cancel(tag: string): Promise<void> {
    this.#wanted.delete(tag);
    try {
      await this.#registration?.periodicSync?.unregister(tag);
    } catch (error) {
      this.#log('a sync event could not be taken back', error);
    }
  }

  /** Tells the service worker something. False if there is none. */
  tell(message: unknown): boolean {
    const worker = this.#registration?.active;
    if (worker === null || worker === undefined) return false;
    worker.postMessage(message);
    return true;
  }

  close(): void {
    this.#support.close();
  }

  #onReady(registration: RegistrationLike): void {
    this.#registration = registration;
    if (registration.sync === undefined) this.#note('backgroundSync', 'absent');
    if (registration.periodicSync === undefined) this.#note('periodicSync', 'absent');
    // The first call makes the connection to the browser, for which a page that goes has no time.
    registration.sync?.getTags?.().then(
      (tags) => this.#onTags(tags),
      () => {},
    );
    const wanted = [...this.#wanted];
    this.#wanted.clear();
    for (const [tag, minIntervalMs] of wanted)
      void (minIntervalMs === null ? this.once(tag) : this.periodic(tag, minIntervalMs));
  }

  /** What waits in the browser was granted, though another page may have asked for it. */
  #onTags(tags: readonly string[]): void {
    const isAsked = tags.some((tag) => this.#ownTags.has(requestOfTag(tag)));
    if (isAsked && this.#support.current.backgroundSync === 'unknown')
      this.#note('backgroundSync', 'granted');
  }

  async #try<Manager>(
    kind: keyof BrowserSupport,
    manager: Manager | undefined,
    register: (manager: Manager) => Promise<void>,
  ): Promise<boolean> {
    if (manager === undefined) {
      this.#note(kind, 'absent');
      return false;
    }
    try {
      await register(manager);
      this.#note(kind, 'granted');
      return true;
    } catch (error) {
      this.#note(kind, 'refused');
      this.#log(`the browser refused a sync event (${kind})`, error, 'info');
      return false;
    }
  }

  #note(kind: keyof BrowserSupport, grant: SyncGrant): void {
    const { current } = this.#support;
    if (current[kind] !== grant) this.#support.set({ ...current, [kind]: grant });
  }

  #log(message: string, error: unknown, level: 'info' | 'warn' = 'warn'): void {
    this.#runtime.logger.log(level, message, { error: String(error) });
  }
}
