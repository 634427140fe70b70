import { isNexusError } from '../model/errors.ts';
import type { Outcome, SyncFailure } from '../model/outcome.ts';
import { claimEntries, expiredEntries, type Claim } from '../queue/claim.ts';
import { retryEntry } from '../queue/control.ts';
import { entryIdOf, nameOf } from '../queue/entry-view.ts';
import { findEntry, place } from '../queue/lanes.ts';
import { rankOfPosition } from '../queue/position.ts';
import type { EntryRecord } from '../queue/records.ts';
import { buryEntry, settleClaim, type Settlement } from '../queue/settle.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import { decideConflicts } from './conflict-decisions.ts';
import { afterFailure, GATE_SHUT, isOpen, readGate, writeGate, type Gate } from './gate.ts';
import { migrateEntries } from './migrate-entries.ts';
import { OutcomePolicy, type Verdict } from './outcome-policy.ts';
import { outgoing } from './outgoing.ts';
import type { RunWindow, SendTimes } from './run-window.ts';
import type { Principal, SyncContext } from './sync-context.ts';

/** After an abort a remote gets this long to come back, then its answer no longer counts. */
const ABORT_GRACE_MS = 250;

export type PushEnd = 'drained' | 'offline' | 'blocked' | 'deadline' | 'aborted' | 'paused';

interface Flight {
  readonly claim: Claim;
  readonly isCriticalSlot: boolean;
  readonly isUrgent: boolean;
}

/**
 * One drain: claims small batches and keeps several requests in flight until nothing may be sent, the
 * window ends, or the endpoint fails.
 */
export class PushPass {
  readonly #context: SyncContext;
  readonly #principal: Principal;
  readonly #window: RunWindow;
  readonly #sendTimes: SendTimes;
  readonly #owner: string;
  readonly #policy: OutcomePolicy;
  readonly #onProgress: () => void;
  readonly #flights = new Set<Flight>();
  #gate: Gate = GATE_SHUT;
  #isExhausted = false;
  #mayHoldCritical = true;
  #stop: 'offline' | 'blocked' | undefined;
  #lastFailureAt = -1;
  #wake: () => void = () => {};
  pushed = 0;
  conflicts = 0;
  dead = 0;

  constructor(
    context: SyncContext,
    window: RunWindow,
    sendTimes: SendTimes,
    owner: string,
    onProgress: () => void,
  ) {
    this.#context = context;
    this.#principal = context.principal();
    this.#window = window;
    this.#sendTimes = sendTimes;
    this.#owner = owner;
    this.#onProgress = onProgress;
    const { options, remote, runtime } = context;
    this.#policy = new OutcomePolicy(options, remote.capabilities.maxBatch, () =>
      runtime.random.float(),
    );
  }

  get inFlight(): number {
    let count = 0;
    for (const flight of this.#flights) count += flight.claim.entries.length;
    return count;
  }

  /** Entries came or became free: look again. */
  notify(hasCritical: boolean): void {
    this.#isExhausted = false;
    if (hasCritical) this.#mayHoldCritical = true;
    this.#wake();
  }

  async run(): Promise<PushEnd> {
    this.#gate = await this.#context.writer.read(readGate);
    const onEnd = (): void => this.#wake();
    this.#window.signal.addEventListener('abort', onEnd, { once: true });
    try {
      for (;;) {
        await this.#fill();
        if (this.#flights.size === 0) break;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      this.#window.signal.removeEventListener('abort', onEnd);
    }
    return this.#window.end ?? this.#stop ?? (this.#isExhausted ? 'drained' : 'deadline');
  }

  // ---- claiming ----------------------------------------------------------------------------------

  async #fill(): Promise<void> {
    while (this.#stop === undefined && this.#window.fits(this.#sendTimes.p90Ms)) {
      const general = [...this.#flights].filter((flight) => !flight.isCriticalSlot).length;
      // While the gate is open, one entry probes.
      const slots = isOpen(this.#gate) ? 1 : this.#context.options.concurrency;
      if (general < slots && !this.#isExhausted) {
        if (!(await this.#launch(false))) this.#isExhausted = true;
        continue;
      }
      const isSlotFree = [...this.#flights].every((flight) => !flight.isCriticalSlot);
      if (!isSlotFree || !this.#mayHoldCritical || general < slots || isOpen(this.#gate)) return;
      if (!(await this.#launch(true))) this.#mayHoldCritical = false;
    }
  }

  async #launch(isCriticalSlot: boolean): Promise<boolean> {
    const claim = await this.#claim(isCriticalSlot);
    if (claim === undefined) return false;
    const isUrgent = claim.entries.some((entry) => rankOfPosition(entry.position) <= 1);
    const flight = { claim, isCriticalSlot, isUrgent };
    this.#flights.add(flight);
    void this.#fly(flight);
    return true;
  }

  async #claim(isCriticalSlot: boolean): Promise<Claim | undefined> {
    const { writer, runtime, options } = this.#context;
    const { partition } = this.#principal;
    const isUrgentInFlight = [...this.#flights].some((flight) => flight.isUrgent);
    // `low` waits while something urgent is on its way, and for a longer window.
    const worst = isCriticalSlot ? 0 : isUrgentInFlight || this.#window.isShort ? 2 : 3;
    const limit = isOpen(this.#gate) ? 1 : this.#policy.batchLimit;
    return writer.write(
      async (uow) => {
        const now = runtime.clock.now();
        await this.#buryExpired(uow, now);
        return claimEntries(uow, {
          partition,
          owner: this.#owner,
          leaseMs: options.leaseMs,
          limit,
          now,
          worst,
          deferLow: true,
          agingMs: options.agingMs,
        });
      },
      { cost: limit },
    );
  }

  async #buryExpired(uow: UnitOfWork, now: number): Promise<void> {
    for (const entry of await expiredEntries(uow, this.#principal.partition, now)) {
      const failure = { code: 'queue/expired', at: now };
      await buryEntry(uow, entry, failure, this.#context.rulesOf);
      this.dead += 1;
    }
  }

  // ---- sending -----------------------------------------------------------------------------------

  async #fly(flight: Flight): Promise<void> {
    try {
      await this.#sendAndSettle(flight.claim);
    } catch (error) {
      this.#onFlightError(flight.claim, error);
    }
    this.#flights.delete(flight);
    this.#isExhausted = false;
    this.#onProgress();
    this.#wake();
  }

  #onFlightError(claim: Claim, error: unknown): void {
    const { runtime, emit } = this.#context;
    if (isNexusError(error, 'queue/claim-lost')) {
      emit({ type: 'claim-lost', entryIds: claim.entries.map(({ seq }) => entryIdOf(seq)) });
      return;
    }
    // The storage failed: the lease will end by itself, nothing is lost. Going on would only repeat it.
    runtime.logger.log('error', 'settling a request failed', { error: String(error) });
    this.#stop ??= 'blocked';
  }

  async #sendAndSettle(claim: Claim): Promise<void> {
    const { clock } = this.#context.runtime;
    const { entries, failed } = await migrateEntries(this.#context, claim);
    const startedAt = clock.elapsed();
    const outcomes = entries.length === 0 ? [] : await this.#send(entries);
    this.#sendTimes.record(clock.elapsed() - startedAt);
    const verdict = this.#policy.judge(entries, outcomes, clock.now());
    for (const [seq, settlement] of failed) verdict.settlements.set(seq, settlement);
    await decideConflicts(this.#context, verdict, this.#window.signal);
    this.conflicts += verdict.conflicts.length;
    await this.#settle(claim, verdict, startedAt);
  }

  async #send(entries: readonly EntryRecord[]): Promise<readonly Outcome[]> {
    const { remote, runtime, writer, emit } = this.#context;
    const rows = await writer.read(async (uow) => {
      await uow.preloadRows(
        entries.map(({ partition, collection, entity }) => ({ partition, collection, id: entity })),
      );
      return Promise.all(
        entries.map((entry) => uow.row(entry.partition, entry.collection, entry.entity)),
      );
    });
    const batch = entries.map((entry, index) => outgoing(entry, rows[index]));
    emit({ type: 'push-started', entryIds: batch.map(({ id }) => id) });
    const controller = new AbortController();
    const onEnd = (): void => controller.abort(this.#window.end);
    if (this.#window.signal.aborted) onEnd();
    this.#window.signal.addEventListener('abort', onEnd, { once: true });
    const timeoutMs = Math.min(this.#context.options.requestTimeoutMs, this.#window.leftMs);
    const cancelTimeout = runtime.timers.after(timeoutMs, () => controller.abort('timeout'));
    try {
      const answer = remote.push(batch, {
        signal: controller.signal,
        now: runtime.clock.now(),
        principal: this.#principal.id,
      });
      const outcomes = await Promise.race([
        answer,
        this.#afterAbort(controller.signal, batch.length),
      ]);
      return outcomes.length === batch.length
        ? outcomes
        : unusable(batch.length, 'remote/protocol', runtime.clock.now());
    } catch (error) {
      runtime.logger.log('error', 'the remote broke its law and threw', { error: String(error) });
      return unusable(batch.length, 'remote/protocol', runtime.clock.now());
    } finally {
      cancelTimeout();
      this.#window.signal.removeEventListener('abort', onEnd);
    }
  }

  /** Outcomes for a remote that does not come back after an abort. */
  #afterAbort(signal: AbortSignal, count: number): Promise<readonly Outcome[]> {
    const { timers, clock } = this.#context.runtime;
    return new Promise((resolve) => {
      const wait = (): void => {
        timers.after(ABORT_GRACE_MS, () => resolve(unusable(count, 'remote/timeout', clock.now())));
      };
      if (signal.aborted) wait();
      else signal.addEventListener('abort', wait, { once: true });
    });
  }

  // ---- settling ----------------------------------------------------------------------------------

  async #settle(claim: Claim, verdict: Verdict, startedAt: number): Promise<void> {
    const { writer, rulesOf, emit } = this.#context;
    const gate = this.#nextGate(verdict, startedAt);
    await writer.write(
      async (uow) => {
        await settleClaim(uow, claim, verdict.settlements, rulesOf);
        await this.#refund(uow, verdict.refunds);
        if (gate !== this.#gate) writeGate(uow, gate);
      },
      {
        cost: verdict.settlements.size,
        rows: claim.entries.map(({ partition, collection, entity }) => ({
          partition,
          collection,
          id: entity,
        })),
      },
    );
    this.#report(claim, verdict.settlements);
    const before = this.#gate;
    this.#gate = gate;
    if (before.failures > 0 && gate.failures === 0) emit({ type: 'gate-closed' });
    if (verdict.endpoint !== null) this.#onEndpointFailure(verdict, before, gate);
  }

  #nextGate(verdict: Verdict, startedAt: number): Gate {
    const { runtime, options } = this.#context;
    const { endpoint } = verdict;
    if (endpoint === null) {
      return this.#gate.failure === null ? this.#gate : GATE_SHUT;
    }
    // Cut off by our own deadline: that says nothing of the endpoint.
    if (this.#window.end !== undefined && endpoint.isOffline) return this.#gate;
    // Requests that were under way when another one failed say nothing new.
    if (startedAt <= this.#lastFailureAt && endpoint.retryAfterMs === undefined) return this.#gate;
    this.#lastFailureAt = runtime.clock.elapsed();
    if (endpoint.block !== null)
      return { ...this.#gate, block: endpoint.block, failure: endpoint.failure };
    return afterFailure(
      this.#gate,
      endpoint.failure,
      endpoint.retryAfterMs,
      options.backoff,
      runtime.clock.now(),
      () => runtime.random.float(),
    );
  }

  #onEndpointFailure(verdict: Verdict, before: Gate, after: Gate): void {
    const { emit } = this.#context;
    const endpoint = verdict.endpoint;
    if (endpoint === null) return;
    this.#stop ??= endpoint.isOffline ? 'offline' : 'blocked';
    if (endpoint.block === 'unauthorised')
      emit({ type: 'unauthorised', failure: endpoint.failure });
    if (endpoint.failure.code === 'remote/protocol')
      emit({ type: 'answer-not-recognised', failure: endpoint.failure });
    if (!isOpen(before) && isOpen(after))
      emit({ type: 'gate-opened', until: after.until ?? 0, failure: endpoint.failure });
  }

  /** Gives entries the attempt back that the endpoint cost them, and brings the buried ones back. */
  async #refund(uow: UnitOfWork, seqs: readonly number[]): Promise<void> {
    const { runtime, limits, rulesOf } = this.#context;
    for (const seq of seqs) {
      const entry = await findEntry(uow, this.#principal.partition, seq);
      if (entry === undefined) continue;
      const attempts = Math.max(0, entry.attempts - 1);
      if (entry.state === 'dead') {
        await retryEntry(uow, entry.partition, seq, () => runtime.ids.uuid(), limits, rulesOf);
        continue;
      }
      const refunded = { ...entry, attempts, notBefore: null };
      uow.putEntry(refunded);
      await place(uow, refunded);
    }
  }

  #report(claim: Claim, settlements: ReadonlyMap<number, Settlement>): void {
    const { emit, runtime } = this.#context;
    for (const entry of claim.entries) {
      const settlement = settlements.get(entry.seq);
      if (settlement?.kind === 'complete') {
        this.pushed += 1;
        const waitedMs = Math.max(0, runtime.clock.now() - entry.enqueuedAt);
        emit({
          type: 'entry-applied',
          ...nameOf(entry),
          version: settlement.version ?? null,
          waitedMs,
        });
      } else if (settlement?.kind === 'bury') {
        this.dead += 1;
      } else if (settlement?.kind === 'release' && settlement.failure !== undefined) {
        emit({
          type: 'entry-released',
          ...nameOf(entry),
          notBefore: settlement.notBefore,
          failure: settlement.failure,
        });
      }
    }
  }
}

function unusable(count: number, code: SyncFailure['code'], at: number): Outcome[] {
  return Array.from({ length: count }, () => ({
    kind: 'retry',
    scope: 'endpoint',
    ambiguous: true,
    failure: { code, at },
  }));
}
