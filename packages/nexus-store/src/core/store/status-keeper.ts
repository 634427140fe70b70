import { LiveValue } from '../model/live.ts';
import { oldestPending } from '../queue/claim.ts';
import type { Counters } from '../queue/unit-of-work.ts';
import type { AutoSync } from '../sync/auto-sync.ts';
import { nextAttemptAt, type Engine } from '../sync/engine.ts';
import { askedToWaitUntil, gateUntil, readGate, type Gate } from '../sync/gate.ts';
import { INITIAL_STATUS, pendingTotal, type SyncStatus } from '../sync/sync-status.ts';
import type { StoreBackend } from './store-backend.ts';

/** A burst of changes costs one look at the storage in this time. */
const REFRESH_MS = 50;

/** Keeps `status` true: counts follow each commit, the rest is read soon after. */
export class StatusKeeper {
  readonly live: LiveValue<SyncStatus>;
  readonly pendingCount: LiveValue<number>;
  readonly #backend: StoreBackend;
  readonly #engine: Engine;
  readonly #auto: AutoSync;
  #cancelRefresh: (() => void) | undefined;
  #total = 0;
  #isClosed = false;
  #nextDueAt: number | null = null;
  #heldUntil: number | null = null;

  constructor(backend: StoreBackend, engine: Engine, auto: AutoSync) {
    this.#backend = backend;
    this.#engine = engine;
    this.#auto = auto;
    const onError = (error: unknown): void =>
      backend.runtime.logger.log('error', 'a status listener failed', { error: String(error) });
    this.live = new LiveValue(INITIAL_STATUS, onError);
    this.pendingCount = new LiveValue(0, onError);
  }

  /** Epoch milliseconds when a run is due; null if none is, or something blocks it. */
  get nextDueAt(): number | null {
    return this.#nextDueAt;
  }

  /** Epoch milliseconds until which the gate holds everything back. */
  get heldUntil(): number | null {
    return this.#heldUntil;
  }

  onCommit(counters: Counters): void {
    const before = this.live.current;
    const next = { ...before, ...countsOf(counters), claimed: this.#engine.claimed };
    if (!isSameCounts(before, next)) {
      this.live.set(next);
      this.pendingCount.set(pendingTotal(next));
    }
    this.refresh();
  }

  /** Soon. */
  refresh(): void {
    if (this.#cancelRefresh !== undefined || this.#isClosed || !this.#backend.isOpen) return;
    this.#cancelRefresh = this.#backend.runtime.timers.after(REFRESH_MS, () => {
      this.#cancelRefresh = undefined;
      void this.refreshNow().catch(() => {});
    });
  }

  async refreshNow(): Promise<void> {
    if (this.#isClosed) return;
    const { partition, runtime } = this.#backend;
    const now = runtime.clock.now();
    const next = await this.#backend.writer.read(async (uow) => {
      await uow.loadState();
      const gate = await readGate(uow);
      const counts = countsOf(uow.counters(partition));
      const oldest = await oldestPending(uow, partition);
      let claimed = 0;
      for (const lease of (await uow.leases()).values()) {
        if (lease.partition === partition)
          claimed += (JSON.parse(lease.positions) as number[]).length;
      }
      const isBlocked = gate.block !== null || this.#engine.isPaused;
      const dueAt = isBlocked ? null : await nextAttemptAt(uow, partition, gate, now);
      this.#heldUntil = gateUntil(gate, now);
      return { gate, counts, claimed, oldestPendingAt: oldest?.enqueuedAt ?? null, dueAt };
    });
    if (this.#isClosed) return;
    this.#nextDueAt = next.dueAt;
    this.#publish({
      phase: this.#engine.phase,
      ...next.counts,
      claimed: next.claimed,
      oldestPendingAt: next.oldestPendingAt,
      blockedBy: blockedBy(next.gate, this.#engine.isPaused, now),
      nextAttemptAt: this.#auto.dueAt ?? next.dueAt,
      lastSyncedAt: this.#engine.lastSyncedAt,
      lastFailure: next.gate.failure ?? this.#engine.lastFailure,
      progress: this.#progress(next.counts.pending),
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelRefresh?.();
    this.live.set({ ...this.live.current, phase: 'closed', nextAttemptAt: null, progress: null });
    this.live.close();
    this.pendingCount.close();
  }

  #progress(pending: SyncStatus['pending']): SyncStatus['progress'] {
    const done = this.#engine.pushedInRun;
    if (done === null) {
      this.#total = 0;
      return null;
    }
    const left = pending.critical + pending.high + pending.normal + pending.low;
    this.#total = Math.max(this.#total, done + left);
    return { done, total: this.#total };
  }

  #publish(status: SyncStatus): void {
    if (JSON.stringify(status) === JSON.stringify(this.live.current)) return;
    this.live.set(status);
    this.pendingCount.set(pendingTotal(status));
  }
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

function blockedBy(gate: Gate, isPaused: boolean, now: number): SyncStatus['blockedBy'] {
  if (isPaused) return { reason: 'paused', until: null };
  if (gate.block !== null) return { reason: gate.block, until: null };
  const asked = askedToWaitUntil(gate, now);
  if (asked !== null) return { reason: 'gate', until: asked };
  const until = gateUntil(gate, now);
  if (until === null) return null;
  const isOffline = gate.failure !== null && gate.failure.status === undefined;
  return { reason: isOffline ? 'offline' : 'gate', until };
}
