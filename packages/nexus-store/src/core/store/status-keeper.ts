import { LiveValue, type Live } from '../model/live.ts';
import type { Runtime } from '../ports/runtime.ts';
import { passSettled } from '../queue/inspect.ts';
import type { Counters, UnitOfWork } from '../queue/unit-of-work.ts';
import type { Writer } from '../queue/writer.ts';
import type { Engine } from '../sync/engine.ts';
import { askedToWaitUntil, blockOf, failureFor } from '../sync/gate.ts';
import { isOfflineFailure } from '../sync/outcome-kinds.ts';
import { nextAttemptAt, readRest, type Rest } from '../sync/rest.ts';
import { INITIAL_STATUS, pendingTotal, type SyncStatus } from '../sync/sync-status.ts';

/** A burst of changes costs one look at the storage in this time. */
const REFRESH_MS = 50;

/** So much may be passed over in each reading; more is remembered as passed. */
const FEW_PASSED = 256;

/** How much waits, as a commit left it. */
export interface Counts {
  readonly counters: Counters;
  /** By collection; those with nothing waiting are absent. */
  readonly collections: { readonly [collection: string]: number };
}

/** The status of one user as it was read. */
export interface StatusReading {
  readonly partition: number;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly rest: Rest;
  readonly counts: Counts;
  /** What the last commit had left when the reading began. */
  readonly seen: Counts | undefined;
}

export interface StatusSources {
  readonly runtime: Runtime;
  readonly writer: Writer;
  readonly engine: Engine;
  readonly hasRemote: boolean;
  readonly partition: () => number;
  readonly isOpen: () => boolean;
  /** Epoch milliseconds of the run that is called for; null if none is. */
  readonly calledAt: () => number | null;
  /** What is left to do was read anew. */
  readonly onRest: (rest: Rest) => void;
  /** The queue was looked at, after changes of whatever kind. */
  readonly onLooked: () => void;
}

/** Keeps `status` true: counts follow each commit, the rest is read soon after. */
export class StatusKeeper {
  readonly live: LiveValue<SyncStatus>;
  readonly pendingCount: LiveValue<number>;
  readonly #ofCollections = new Map<string, LiveValue<number>>();
  readonly #sources: StatusSources;
  readonly #onError: (error: unknown) => void;
  #cancelRefresh: (() => void) | undefined;
  #total = 0;
  #isClosed = false;
  #isPassing = false;
  /** As the last commit left them: newer than any reading that began before it. */
  #counts: Counts | undefined;
  #rest: Rest | undefined;

  constructor(sources: StatusSources) {
    this.#sources = sources;
    this.#onError = (error): void =>
      sources.runtime.logger.log('error', 'a status listener failed', { error: String(error) });
    this.live = new LiveValue(INITIAL_STATUS, this.#onError);
    this.pendingCount = new LiveValue(0, this.#onError);
  }

  /** What is left to do, as last read. */
  get rest(): Rest | undefined {
    return this.#rest;
  }

  /** A timer is set that looks at the queue again. */
  get isRefreshDue(): boolean {
    return this.#cancelRefresh !== undefined;
  }

  /** How many entries of one collection wait to be sent. */
  pendingCountOf(collection: string): Live<number> {
    let live = this.#ofCollections.get(collection);
    if (live === undefined) {
      live = new LiveValue(pendingIn(this.#counts, collection), this.#onError);
      this.#ofCollections.set(collection, live);
    }
    return live;
  }

  onCommit(counts: Counts): void {
    this.#counts = counts;
    const { counters } = counts;
    const before = this.live.current;
    const next = { ...before, ...countsOf(counters), claimed: this.#sources.engine.claimed };
    if (!isSameCounts(before, next)) this.live.set(next);
    this.#publishCounts(counts);
    this.refresh();
  }

  /** Soon. */
  refresh(): void {
    const { runtime, isOpen, onRest } = this.#sources;
    if (this.#cancelRefresh !== undefined || this.#isClosed || !isOpen()) return;
    this.#cancelRefresh = runtime.timers.after(REFRESH_MS, () => {
      this.#cancelRefresh = undefined;
      this.refreshNow().then(onRest, () => this.#retryRefresh());
    });
  }

  /** The storage was busy: timers must not be forgotten for that. */
  #retryRefresh(): void {
    if (this.#isClosed) return;
    this.#cancelRefresh ??= this.#sources.runtime.timers.after(REFRESH_MS * 20, () => {
      this.#cancelRefresh = undefined;
      this.refresh();
    });
  }

  /** Reads everything anew. Another user's counters are forgotten with `isAnew`. */
  async refreshNow(isAnew = false): Promise<Rest> {
    const { writer, partition } = this.#sources;
    if (isAnew) this.#counts = undefined;
    const reading = await writer.read((uow) => this.read(uow, partition()));
    this.adopt(reading);
    return reading.rest;
  }

  /** Reads everything of one user, for `adopt`. */
  async read(uow: UnitOfWork, partition: number): Promise<StatusReading> {
    const { runtime, engine } = this.#sources;
    const at = runtime.clock.now();
    const seen = this.#counts;
    const rest = await readRest(uow, partition, engine.isHalted, at, engine.decides);
    const collections = uow.state.collections(partition);
    const counts = { counters: uow.counters(partition), collections };
    return { partition, at, rest, counts, seen };
  }

  /** Shows what was read, once the transaction has ended. */
  adopt({ partition, at, rest, counts: found, seen }: StatusReading): void {
    if (this.#isClosed || partition !== this.#sources.partition()) return;
    this.#rest = rest;
    // A commit since then knows better.
    const counts = this.#counts === seen ? found : (this.#counts ?? found);
    this.#counts = counts;
    this.#publish(rest, counts, at);
    this.#sources.onLooked();
    if (rest.passed > FEW_PASSED) void this.#passSettled(partition);
  }

  /** Many dead letters are looked through once, not in each reading. */
  async #passSettled(partition: number): Promise<void> {
    if (this.#isPassing) return;
    this.#isPassing = true;
    const { writer } = this.#sources;
    try {
      let isMore = true;
      while (isMore && !this.#isClosed)
        isMore = await writer.write((uow) => passSettled(uow, partition), { cost: FEW_PASSED });
    } catch {
      // Upkeep: nothing is wrong without it, and the next reading asks for it again.
    } finally {
      this.#isPassing = false;
    }
  }

  #publish(rest: Rest, { counters, collections }: Counts, now: number): void {
    const { engine, calledAt, partition } = this.#sources;
    const counts = countsOf(counters);
    const status: SyncStatus = {
      phase: engine.phase,
      ...counts,
      claimed: rest.claimed,
      oldestPendingAt: rest.oldestAt,
      blockedBy: this.#blockedBy(rest, now),
      nextAttemptAt: calledAt() ?? nextAttemptAt(rest, now),
      lastSyncedAt: latest(rest.syncedAt, engine.lastSyncedAt),
      lastFailure: failureFor(rest.gate, partition()) ?? engine.lastFailure,
      progress: this.#progress(counts.pending),
    };
    if (JSON.stringify(status) !== JSON.stringify(this.live.current)) this.live.set(status);
    this.#publishCounts({ counters, collections });
  }

  #publishCounts(counts: Counts): void {
    this.pendingCount.set(pendingTotal(countsOf(counts.counters)));
    for (const [collection, live] of this.#ofCollections) live.set(pendingIn(counts, collection));
  }

  #blockedBy({ gate, heldUntil }: Rest, now: number): SyncStatus['blockedBy'] {
    const { engine, hasRemote, partition } = this.#sources;
    if (engine.isPaused) return { reason: 'paused', until: null };
    if (!hasRemote) return { reason: 'offline', until: null };
    const block = blockOf(gate, partition());
    if (block !== null) return { reason: block, until: null };
    if (heldUntil === null) return null;
    const isOffline = gate.failure !== null && isOfflineFailure(gate.failure);
    const isAsked = askedToWaitUntil(gate, now) !== null;
    return { reason: isOffline && !isAsked ? 'offline' : 'gate', until: heldUntil };
  }

  #progress(pending: SyncStatus['pending']): SyncStatus['progress'] {
    const done = this.#sources.engine.pushedInRun;
    if (done === null) {
      this.#total = 0;
      return null;
    }
    const left = pending.critical + pending.high + pending.normal + pending.low;
    this.#total = Math.max(this.#total, done + left);
    return { done, total: this.#total };
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelRefresh?.();
    this.live.set({ ...this.live.current, phase: 'closed', nextAttemptAt: null, progress: null });
    this.live.close();
    this.pendingCount.close();
    for (const live of this.#ofCollections.values()) live.close();
  }
}

function pendingIn(counts: Counts | undefined, collection: string): number {
  if (counts === undefined || !Object.hasOwn(counts.collections, collection)) return 0;
  return counts.collections[collection] ?? 0;
}

function latest(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.max(one, other);
}

function countsOf(counters: Counters): Pick<SyncStatus, 'pending' | 'dead' | 'conflicts'> {
  const [critical, high, normal, low] = counters.pending;
  return {
    pending: { critical, high, normal, low },
    dead: counters.dead,
    conflicts: counters.conflicts,
  };
}

function isSameCounts(a: SyncStatus, b: SyncStatus): boolean {
  return (
    a.dead === b.dead &&
    a.conflicts === b.conflicts &&
    a.claimed === b.claimed &&
    a.pending.critical === b.pending.critical &&
    a.pending.high === b.pending.high &&
    a.pending.normal === b.pending.normal &&
    a.pending.low === b.pending.low
  );
}
