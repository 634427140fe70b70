import { LiveValue } from '../model/live.ts';
import { BackgroundSyncStatus, path, transition } from './background-sync-status.ts';
import type { Journal, JournalEntry, JournalRecord, StateChange } from './journal.ts';
import { inOrder, revisionFor, type PlatformRun } from './platform-runs.ts';
import type { ServiceState } from './service-state.ts';
import type { UnmetConstraint } from './unmet-constraints.ts';

/** The longest interval a server may ask for. */
const LONGEST_HINT_MS = 86_400_000;
/** The same hint comes with every answer; this often it is written down again. */
const HINT_RENEWED_MS = 86_400_000;

/**
 * What the service knows of itself, in this process and beyond: the status with its table, and the
 * state that is kept with the journal. The stored state is the truth; what is here is the last look.
 */
export class ServiceMemory {
  readonly status: LiveValue<BackgroundSyncStatus>;
  readonly #journal: Journal;
  #state: ServiceState | undefined;
  #loading: Promise<ServiceState> | undefined;

  constructor(journal: Journal, onError: (error: unknown) => void) {
    this.#journal = journal;
    this.status = new LiveValue<BackgroundSyncStatus>('idle', onError);
  }

  /** The state as last seen; undefined before `load`. */
  get seen(): ServiceState | undefined {
    return this.#state;
  }

  /** Reads the state once, and takes up the status where the last process left it. */
  load(): Promise<ServiceState> {
    if (this.#state !== undefined) return Promise.resolve(this.#state);
    this.#loading ??= this.#journal.readState().then(
      (state) => {
        this.#take(state);
        return state;
      },
      (error: unknown) => {
        this.#loading = undefined;
        throw error;
      },
    );
    return this.#loading;
  }

  async change(change: StateChange): Promise<ServiceState> {
    return this.#take(await this.#journal.changeState(change));
  }

  async begin(record: JournalRecord, change: StateChange): Promise<number> {
    const { id, state }: JournalEntry = await this.#journal.begin(record, change);
    this.#take(state);
    return id;
  }

  async end(id: number, record: JournalRecord, change: StateChange): Promise<void> {
    this.#take(await this.#journal.end(id, record, change));
  }

  async records(): Promise<readonly JournalRecord[]> {
    return inOrder(await this.#journal.records());
  }

  /** Adds what the platform's log knows of runs and the journal does not. */
  async adopt(runs: readonly PlatformRun[], now: number, longestMs: number): Promise<void> {
    const numbered = (await this.#journal.records()).map((record, id) => ({ id, record }));
    const { changed, added } = revisionFor(numbered, runs, now, longestMs);
    if (changed.length + added.length > 0)
      await this.#journal.revise((known) => revisionFor(known, runs, now, longestMs));
  }

  /** Takes the status there, by the table; storing it is the caller's, with what else changed. */
  moveTo(to: BackgroundSyncStatus): void {
    const { status } = this;
    for (const step of path(status.current, to)) status.set(transition(status.current, step));
  }

  /** Notes which constraints are unmet, and keeps since when. */
  async noteUnmet(unmet: readonly UnmetConstraint[], now: number): Promise<void> {
    const since = (state: ServiceState): ServiceState['unmetSince'] =>
      Object.fromEntries(
        unmet.map((constraint) => [constraint, state.unmetSince[constraint] ?? now]),
      );
    const seen = await this.load();
    if (JSON.stringify(since(seen)) === JSON.stringify(seen.unmetSince)) return;
    await this.change((state) => ({ ...state, unmetSince: since(state) }));
  }

  /** Keeps what the server hinted. True if that changes something. */
  async setHint(intervalMs: number | null, now: number): Promise<boolean> {
    const { hint } = await this.load();
    const isUsable = intervalMs !== null && Number.isFinite(intervalMs) && intervalMs > 0;
    const wanted = isUsable ? Math.min(intervalMs, LONGEST_HINT_MS) : null;
    const isFresh = hint !== null && now >= hint.at && now - hint.at < HINT_RENEWED_MS;
    if (wanted === (hint?.intervalMs ?? null) && (wanted === null || isFresh)) return false;
    const next = wanted === null ? null : { intervalMs: wanted, at: now };
    await this.change((state) => ({ ...state, hint: next }));
    return wanted !== hint?.intervalMs;
  }

  #take(state: ServiceState): ServiceState {
    if (this.#state === undefined) this.#restoreStatus(state.status);
    this.#state = state;
    return state;
  }

  /** A process that was killed while it ran left `running` behind: that run has failed. */
  #restoreStatus(stored: string): void {
    // A wake-up that came first has begun to tell its own story.
    if (this.status.current !== 'idle' || !Object.hasOwn(BackgroundSyncStatus, stored)) return;
    this.status.set(stored === 'running' ? 'failed' : (stored as BackgroundSyncStatus));
  }
}
