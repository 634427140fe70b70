import type { Runtime } from '../../core/ports/runtime.ts';
import type { LockManagerLike } from './browser.ts';

/** How contexts find out whether the one whose turn it is still answers. */
export interface HolderCheck {
  /** Asks the holder to say that it is there. False if nobody can be asked. */
  ask(): boolean;
  /** Tells the others that it is this context's turn. */
  answer(): void;
}

/** A turn is usually over before anybody asks. */
const FIRST_ASK_MS = 1_000;
/** A holder that is busy has this long to answer, twice. */
const ANSWER_MS = 2_000;
const SILENCES = 2;
/** Those who wait do not all lose patience in the same instant. */
const SPREAD_MS = 1_000;
/** The browser releases the locks of a dead context within this time of each other. */
const DYING_MS = 300;
/** Where the holder cannot be asked: longer than any request, and than the lease that protects its entries. */
const UNKNOWN_MS = 45_000;

/**
 * One drain at a time among the tabs and workers of an origin, by a Web Lock that is held for one pass.
 *
 * The browser releases the lock of a tab that is closed or crashed. A tab that is frozen keeps it, and
 * with it nobody would send any more, so whoever waits asks the holder for a sign of life: a message is
 * answered also by a tab in the background, whose timers hardly run, but not by a frozen one. After two
 * silences the lock is stolen. That is safe, because the lock decides nothing: the entries that the frozen
 * tab has claimed stay protected by their lease, and when it thaws its claims are refused by their fence.
 * It is fair, because a context steals only from one that does not answer, and never for having been
 * stolen from: a thawed tab finishes its pass beside the other and queues for its next one. A holder that
 * was only busy is robbed at worst of its turn, not of its entries.
 */
export class DrainLock {
  readonly #runtime: Runtime;
  readonly #locks: LockManagerLike | undefined;
  readonly #name: string;
  readonly #check: HolderCheck;
  readonly #waiting = new Set<() => void>();
  #turns = 0;
  /** How often this context was robbed of its turn. */
  #thefts = 0;
  /** Who is in a turn, as this context's turn began; undefined: not known. */
  #running: Set<string> | undefined;

  constructor(
    runtime: Runtime,
    locks: LockManagerLike | undefined,
    name: string,
    check: HolderCheck,
  ) {
    this.#runtime = runtime;
    this.#locks = locks;
    this.#name = name;
    this.#check = check;
  }

  /** It is this context's turn. */
  get isHeld(): boolean {
    return this.#turns > 0;
  }

  /** The holder has said that it is there. */
  onAnswer(): void {
    for (const reset of this.#waiting) reset();
  }

  /** See `ContextLink.drain`. */
  drain<R>(owner: string, signal: AbortSignal, body: () => Promise<R>): Promise<R | undefined> {
    const locks = this.#locks;
    if (signal.aborted) return Promise.resolve(undefined);
    if (locks === undefined) return body();
    return new Promise((resolve, reject) => {
      const waiting = new AbortController();
      let isOver = false;
      let stopWatching = (): void => {};
      const endWait = (): void => {
        isOver = true;
        stopWatching();
        signal.removeEventListener('abort', onAbort);
      };
      const onAbort = (): void => {
        endWait();
        waiting.abort();
        resolve(undefined);
      };
      /** The turn: until it settles the lock is held. Never rejects. */
      const begin = async (): Promise<void> => {
        if (isOver) return;
        endWait();
        await this.#take(locks, owner, body).then(resolve, reject);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      const refused = (): void => {
        if (waiting.signal.aborted) return;
        if (isOver) this.#onStolen();
        // Not given up by us: some contexts have locks by name only. Row leases have to do.
        else void begin();
      };
      locks.request(this.#name, { signal: waiting.signal }, begin).catch(refused);
      stopWatching = this.#watch({
        onSilent: () => {
          waiting.abort();
          // Also rejects when somebody steals in turn: the pass goes on, protected by its row leases.
          locks.request(this.#name, { steal: true }, begin).catch(() => {
            if (isOver) this.#onStolen();
            else void begin();
          });
        },
        onUnknown: () => {
          waiting.abort();
          void begin();
        },
      });
    });
  }

  /** See `ContextLink.isGone`. */
  isGone(owner: string): boolean {
    return this.#running?.has(this.#turnName(owner)) === false;
  }

  /** Others take their turns beside this one, which began without them: nobody is known to be gone any more. */
  #onStolen(): void {
    this.#thefts += 1;
    this.#running = undefined;
  }

  #turnName(owner: string): string {
    return `${this.#name}:${owner}`;
  }

  /**
   * A turn has a lock of its own too, which nobody ever waits for or steals. The browser releases it when
   * the context dies, so that whoever comes next knows whose claims are nobody's any more.
   */
  async #take<R>(locks: LockManagerLike, owner: string, body: () => Promise<R>): Promise<R> {
    this.#turns += 1;
    const thefts = this.#thefts;
    this.#check.answer();
    let running: Promise<R> | undefined;
    try {
      await locks.request(this.#turnName(owner), {}, async () => {
        const beside = await this.#runningTurns(locks, owner);
        // It looked before the thief came.
        this.#running = thefts === this.#thefts ? beside : undefined;
        running = body();
        await running.catch(() => {});
      });
    } catch {
      this.#running = undefined; // locks are refused here
    }
    try {
      return await (running ?? body());
    } finally {
      this.#turns -= 1;
    }
  }

  /** Watches the holder while this context waits. Returns how to stop. */
  #watch(then: { readonly onSilent: () => void; readonly onUnknown: () => void }): () => void {
    const { timers, random } = this.#runtime;
    let silences = 0;
    let cancel = timers.after(FIRST_ASK_MS, () => {
      cancel = this.#check.ask()
        ? timers.after(ANSWER_MS, onSilence)
        : timers.after(UNKNOWN_MS, then.onUnknown);
    });
    const onSilence = (): void => {
      silences += 1;
      if (silences === SILENCES) {
        then.onSilent();
        return;
      }
      this.#check.ask();
      cancel = timers.after(ANSWER_MS + random.float() * SPREAD_MS, onSilence);
    };
    const reset = (): void => {
      silences = 0;
    };
    this.#waiting.add(reset);
    return () => {
      this.#waiting.delete(reset);
      cancel();
    };
  }

  /**
   * Whose turns last beside this one. The locks of a context that dies are released one after another: its
   * turn may still be there when the next one begins, and gets a moment to go.
   */
  async #runningTurns(locks: LockManagerLike, owner: string): Promise<Set<string> | undefined> {
    const { held = [] } = await locks.query();
    const names = held.map(({ name = '' }) => name);
    const turns = names.filter((name) => name.startsWith(this.#turnName('')));
    const running = new Set(turns);
    const others = turns.filter((name) => name !== this.#turnName(owner));
    if (others.length === 0) return running;
    const moment = new AbortController();
    const cancel = this.#runtime.timers.after(DYING_MS, () => moment.abort());
    const gone = others.map((name) =>
      locks
        .request(name, { signal: moment.signal }, async () => void running.delete(name))
        .catch(() => {}),
    );
    await Promise.all(gone);
    cancel();
    return running;
  }
}
