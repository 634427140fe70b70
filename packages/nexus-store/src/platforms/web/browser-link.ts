import type { ContextLink } from '../../core/ports/context-link.ts';
import type { Runtime } from '../../core/ports/runtime.ts';
import type { StoreBackend } from '../../core/store/store-backend.ts';
import type { Browser, ChannelLike } from './browser.ts';
import { DrainLock } from './drain-lock.ts';
import { ForeignChanges } from './foreign-changes.ts';

/** What contexts say to each other. Hints only: what they are about is read from storage. */
type Message = 'changed' | 'who-drains' | 'i-drain';

/** A burst of commits is one hint. */
const GATHER_MS = 25;

/**
 * Joins the tabs and workers of an origin that share one database: they take turns at sending by a Web
 * Lock, and hear of each other's commits by a BroadcastChannel. Each of both may be missing.
 */
export class BrowserLink implements ContextLink {
  readonly #runtime: Runtime;
  readonly #browser: Browser;
  readonly #changes: ForeignChanges;
  readonly #lock: DrainLock;
  readonly #channel: ChannelLike | undefined;
  #cancelGather: (() => void) | undefined;
  #hasMore = false;
  #isClosed = false;

  /** @param name of the database, or what else all contexts agree on */
  constructor(runtime: Runtime, browser: Browser, backend: StoreBackend, name: string) {
    this.#runtime = runtime;
    this.#browser = browser;
    const isSeen = (): boolean => browser.document?.visibilityState !== 'hidden';
    this.#changes = new ForeignChanges(runtime, backend, isSeen);
    this.#channel = this.#openChannel(name);
    this.#lock = new DrainLock(runtime, browser.navigator.locks, `nexus-store:${name}:drain`, {
      ask: () => this.#say('who-drains'),
      answer: () => void this.#say('i-drain'),
    });
    if (this.#channel === undefined) this.#changes.poll();
    browser.document?.addEventListener('visibilitychange', this.#onVisibility);
  }

  drain<R>(owner: string, signal: AbortSignal, body: () => Promise<R>): Promise<R | undefined> {
    return this.#isClosed ? body() : this.#lock.drain(owner, signal, body);
  }

  isGone(owner: string): boolean {
    return this.#lock.isGone(owner);
  }

  /** The first commit of a burst is told at once, the others together. */
  committed(): void {
    if (this.#channel === undefined || this.#isClosed) return;
    if (this.#cancelGather !== undefined) {
      this.#hasMore = true;
      return;
    }
    this.#say('changed');
    this.#cancelGather = this.#runtime.timers.after(GATHER_MS, () => {
      this.#cancelGather = undefined;
      if (!this.#hasMore) return;
      this.#hasMore = false;
      this.committed();
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // The last commits of a context that goes are what others take over.
    if (this.#hasMore) this.#say('changed');
    this.#cancelGather?.();
    this.#changes.stop();
    this.#browser.document?.removeEventListener('visibilitychange', this.#onVisibility);
    this.#channel?.close();
  }

  readonly #onVisibility = (): void => {
    if (this.#browser.document?.visibilityState === 'visible') this.#changes.onSeen();
  };

  #openChannel(name: string): ChannelLike | undefined {
    try {
      const channel = this.#browser.openChannel?.(`nexus-store:${name}`);
      if (channel !== undefined) channel.onmessage = ({ data }) => this.#onMessage(data as Message);
      return channel;
    } catch {
      return undefined; // an origin that may not share anything
    }
  }

  #onMessage(message: Message): void {
    if (this.#isClosed) return;
    if (message === 'changed') this.#changes.onHint();
    else if (message === 'i-drain') this.#lock.onAnswer();
    else if (message === 'who-drains' && this.#lock.isHeld) this.#say('i-drain');
  }

  /** False if nobody can hear it. */
  #say(message: Message): boolean {
    try {
      this.#channel?.postMessage(message);
    } catch {
      return false; // the page is going, and its channel with it
    }
    return this.#channel !== undefined;
  }
}
