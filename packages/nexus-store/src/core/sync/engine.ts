import { RemoteError } from '../model/errors.ts';
import type { SyncEvent } from '../model/events.ts';
import type { Outcome, SyncFailure } from '../model/outcome.ts';
import type { PriorityRank } from '../model/priority.ts';
import { ownerInTurn } from '../ports/context-link.ts';
import type { SyncReport } from '../model/sync-report.ts';
import type { Decides } from '../queue/undecided.ts';
import { clockWentBackMs, followClock } from './follow-clock.ts';
import { askedToWaitUntil, failureFor, heldError } from './gate.ts';
import { GateWatch } from './gate-watch.ts';
import { afterWaiting } from './late-caller.ts';
import { Puller } from './puller.ts';
import { PullPass } from './pull-pass.ts';
import { PushPass, type PushEnd } from './push-pass.ts';
import { isWorking } from './outcome-kinds.ts';
import { endpointOf, OutcomePolicy, RefusalStreaks } from './outcome-policy.ts';
import { nextAttemptAt, readRest, type Rest } from './rest.ts';
import { endOf, type Run, type Running } from './run.ts';
import { RunWindow, SendTimes } from './run-window.ts';
import { decidesIn, type Principal, type RunTotals, type SyncContext } from './sync-context.ts';
import type { SyncOptions } from './sync-options.ts';

/** Something under way that `stop` must end: a run, a fetch, a direct write. */
interface Operation {
  readonly window: RunWindow;
  readonly done: Promise<unknown>;
}

/** A fetch may take as long as a few requests. */
const FETCH_REQUESTS = 4;

/** After storage could not be asked what the server wants. */
const LOOK_AGAIN_MS = 1_000;

/**
 * Sends what is queued and fetches what changed, one run at a time. Knows when the next attempt is
 * due; who calls it then is decided elsewhere.
 */
export class Engine {
  readonly #context: SyncContext;
  readonly #owner: string;
  readonly #sendTimes = new SendTimes();
  readonly #streaks = new RefusalStreaks();
  readonly #gates: GateWatch;
  readonly #puller: Puller;
  readonly #onChange: () => void;
  readonly #operations = new Set<Operation>();
  readonly #fetches = new Map<string, Promise<void>>();
  #running: Running | undefined;
  #held: Promise<unknown> | undefined;
  #pass: PushPass | undefined;
  #hasNews = false;
  #phase: 'idle' | 'pushing' | 'pulling' = 'idle';
  #isPaused = false;
  #isClosed = false;
  /** When a run of this process last left nothing to do for the current user; null if none did. */
  lastSyncedAt: number | null = null;
  lastFailure: SyncFailure | null = null;
  readonly decides: Decides;

  /** @param onChange called when what `phase`, `progress` and the like say has changed */
  constructor(context: SyncContext, onChange: () => void) {
    this.#context = context;
    this.decides = decidesIn(context);
    this.#onChange = onChange;
    this.#owner = context.runtime.ids.uuid();
    this.#gates = new GateWatch(context);
    this.#puller = new Puller(context, this.#gates, {
      onFailure: (failure) => (this.lastFailure = failure),
      onOvertaken: onChange,
    });
  }

  get phase(): 'idle' | 'pushing' | 'pulling' {
    return this.#phase;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Nothing is sent, whatever waits: sync is paused, or there is no remote. */
  get isHalted(): boolean {
    return this.#isPaused || !this.#context.hasRemote;
  }

  get claimed(): number {
    return this.#pass?.inFlight ?? 0;
  }

  /** What is on the server could not be stored here: how soon a run must try again; null: it is not so. */
  get pullDueInMs(): number | null {
    return this.#puller.dueInMs;
  }

  get pushedInRun(): number | null {
    return this.#running?.run.totals.pushed ?? null;
  }

  /**
   * Runs now, or joins the run under way: then the tightest of all callers' limits holds. One that comes so late
   * that its writes do not go with that run gets a run of its own after it. Never rejects for what network or
   * server do.
   *
   * @throws UsageError `usage/invalid-argument`
   */
  async sync(options: SyncOptions = {}): Promise<SyncReport> {
    while (this.#held !== undefined) await this.#held;
    if (this.#running !== undefined) {
      return this.#join(this.#running, options);
    }
    const { runtime } = this.#context;
    const window = new RunWindow(runtime.clock, runtime.timers, options);
    const principal = this.#context.principal();
    const totals: RunTotals = { pushed: 0, pulled: 0, conflicts: 0, dead: 0 };
    const run: Run = {
      isClosing: false,
      isOpenQuestion: false,
      window,
      principal,
      totals,
      pull: new PullPass(this.#context, principal, window, this.#gates),
    };
    const report = this.#operate(window, () => this.#run(run, options.reason ?? 'app')).finally(
      () => {
        this.#running = undefined;
      },
    );
    this.#running = { run, report };
    return report;
  }

  async #join({ run, report }: Running, options: SyncOptions): Promise<SyncReport> {
    const { clock } = this.#context.runtime;
    const calledAt = clock.elapsed();
    run.window.join(options);
    const isLate = run.isClosing;
    const known = await report;
    const isEnough = !isLate || !this.#hasNews || known.stoppedBy !== 'drained';
    return isEnough ? known : this.sync(afterWaiting(options, clock.elapsed() - calledAt));
  }

  /**
   * Fetches what changed in one collection. A second call joins the fetch under way.
   *
   * @throws RemoteError when the server cannot be asked
   */
  async fetch(collection: string): Promise<void> {
    while (this.#held !== undefined) await this.#held;
    let fetching = this.#fetches.get(collection);
    if (fetching === undefined) {
      const { requestTimeoutMs } = this.#context.options;
      fetching = this.direct(requestTimeoutMs * FETCH_REQUESTS, async (window, principal) => {
        await this.#puller.fetch(collection, window, principal);
      }).finally(() => {
        this.#fetches.delete(collection);
      });
      this.#fetches.set(collection, fetching);
    }
    return fetching;
  }

  /**
   * Something else that talks to the server as the current user: `stop` and a switch of users end it.
   *
   * @throws RemoteError if the server must not be called now
   */
  async direct<R>(
    budgetMs: number,
    work: (window: RunWindow, principal: Principal) => Promise<R>,
  ): Promise<R> {
    while (this.#held !== undefined) await this.#held;
    const { runtime, hasRemote } = this.#context;
    if (!hasRemote) throw new RemoteError('remote/offline', 'this backend has no remote');
    if (this.#isPaused) throw new RemoteError('remote/offline', 'sync is paused');
    const principal = this.#context.principal();
    const window = new RunWindow(runtime.clock, runtime.timers, { budget: budgetMs });
    return this.#operate(window, async () => {
      const gate = await this.#gates.load();
      if (!this.#gates.isPassable) throw heldError(gate, runtime.clock.now());
      return work(window, principal);
    });
  }

  /** False while the server wants to be left alone, as far as this process knows. */
  get mayCall(): boolean {
    return this.#gates.isPassable;
  }

  /**
   * A request outside of the queue begins, now.
   *
   * @returns its number, for `learn`
   * @throws RemoteError `remote/throttled` if the server has just asked to be left alone
   */
  beginRequest(): number {
    if (!this.mayCall) throw heldError(this.#gates.gate, this.#context.runtime.clock.now());
    return this.#gates.begin();
  }

  /** What such a request taught of the endpoint counts for all, as if the queue had sent it. */
  async learn(outcome: Outcome, started: number, window: RunWindow): Promise<void> {
    // Cut off by ourselves: that says nothing.
    if (window.end !== undefined) return;
    if (isWorking(outcome)) this.#streaks.forget();
    const lesson = this.#gates.lesson(endpointOf(outcome), isWorking(outcome), started);
    if (lesson.kind === 'nothing') return;
    const next = await this.#context.writer.write((uow) => this.#gates.apply(uow, lesson));
    this.#gates.adopt(next, lesson);
  }

  /** Tells a run under way that entries came or became free. */
  notify(best: PriorityRank): void {
    this.#hasNews = true;
    this.#pass?.notify(best === 0);
  }

  /** What the engine learns from the events of commits. */
  onEvent(event: SyncEvent): void {
    const totals = this.#running?.run.totals;
    if (event.type === 'entry-buried' && totals !== undefined) totals.dead += 1;
  }

  /** Ends everything under way; what was being sent is sent again later with the same key. */
  async stop(reason: 'aborted' | 'paused'): Promise<void> {
    const operations = [...this.#operations];
    for (const { window } of operations) window.close(reason);
    await Promise.allSettled(operations.map(({ done }) => done));
  }

  /** Runs `body` while nothing talks to the server; what is asked for meanwhile waits for its end. */
  async exclusively<R>(body: () => Promise<R>): Promise<R> {
    while (this.#held !== undefined) await this.#held;
    const result = this.stop('aborted').then(() => {
      // Whoever comes next is told nothing of whoever was there.
      this.#streaks.forget();
      this.lastSyncedAt = null;
      this.lastFailure = null;
      this.#puller.forget();
      return body();
    });
    const held = result.catch(() => {});
    this.#held = held;
    try {
      return await result;
    } finally {
      this.#held = undefined;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.stop('aborted');
  }

  /** How long the server still wants to be left alone. */
  async askedToWaitMs(): Promise<number> {
    let leastMs = 0;
    try {
      await this.#gates.load();
    } catch {
      // The storage is closing or busy. What this process knows counts all the same, and it may not be all.
      leastMs = LOOK_AGAIN_MS;
    }
    const until = this.#gates.askedUntil;
    return until === null ? leastMs : Math.max(leastMs, until - this.#context.runtime.clock.now());
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
  }

  // ---- one run -----------------------------------------------------------------------------------

  async #operate<R>(window: RunWindow, work: () => Promise<R>): Promise<R> {
    if (this.#isClosed) window.close('aborted');
    const done = work().finally(() => {
      window.dispose();
      this.#operations.delete(operation);
    });
    const operation = { window, done };
    this.#operations.add(operation);
    return done;
  }

  async #run(run: Run, reason: string): Promise<SyncReport> {
    const { runtime, emit } = this.#context;
    const startedAt = runtime.clock.elapsed();
    emit({ type: 'sync-started', reason });
    try {
      const end = await this.#pushAndPull(run);
      const { partition } = run.principal;
      const now = runtime.clock.now();
      const rest = await this.#context.writer.read((uow) =>
        readRest(uow, partition, this.isHalted, now, this.decides),
      );
      this.lastFailure = failureFor(rest.gate, partition) ?? this.lastFailure;
      const stoppedBy = endOf(end, rest, run.window);
      if (stoppedBy === 'drained') {
        this.lastSyncedAt = now;
        this.lastFailure = null;
      }
      run.totals.pulled += run.pull.pulled;
      const report: SyncReport = {
        ...run.totals,
        remaining: rest.remaining,
        stoppedBy,
        nextAttemptAt: this.#nextAttemptAt(rest, now),
        durationMs: runtime.clock.elapsed() - startedAt,
      };
      emit({ type: 'sync-finished', report });
      return report;
    } finally {
      this.#setPhase('idle');
    }
  }

  #nextAttemptAt(rest: Rest, now: number): number | null {
    const at = nextAttemptAt(rest, now);
    const dueInMs = this.pullDueInMs;
    if (dueInMs === null || rest.isBlocked) return at;
    return Math.min(at ?? Infinity, Math.max(now + dueInMs, rest.heldUntil ?? 0));
  }

  async #pushAndPull(run: Run): Promise<PushEnd> {
    const { hasRemote, runtime } = this.#context;
    if (this.#isPaused) return 'paused';
    if (run.window.end !== undefined) return run.window.end;
    if (!hasRemote) return 'offline';
    // A server's wish to be left alone counts even for those who ask explicitly.
    const { partition } = run.principal;
    const [gate, backMs] = await Promise.all([
      this.#gates.load(),
      clockWentBackMs(this.#context, partition),
    ]);
    if (askedToWaitUntil(gate, runtime.clock.now()) !== null) return 'blocked';
    if (backMs > 0) await followClock(this.#context, partition, backMs);
    let end = await this.#push(run);
    if (run.isOpenQuestion) return this.#check(run, end);
    if (end === 'drained') end = await this.#puller.all(run, () => this.#pushNews(run));
    // What came while rows were fetched goes too: a caller counts on what was saved before its call. What comes
    // from here on is left for the next run: as long as somebody writes, this one would not end.
    run.isClosing = true;
    return end === 'drained' && this.#hasNews ? this.#push(run) : end;
  }

  /** One entry alone fails as if there were no server: what is new is fetched all the same, if there is one. */
  async #check(run: Run, end: PushEnd): Promise<PushEnd> {
    this.#setPhase('pulling');
    const pulled = await this.#puller.all(run);
    return pulled === 'drained' ? end : pulled;
  }

  async #push(run: Run): Promise<PushEnd> {
    const { options, remote, runtime } = this.#context;
    this.#hasNews = false;
    const random = (): number => runtime.random.float();
    const { maxBatch } = remote.capabilities;
    const policy = new OutcomePolicy(options, maxBatch, this.#streaks, random);
    const link = this.#context.link();
    const owner = ownerInTurn(link, this.#owner);
    const pass = new PushPass(
      {
        context: this.#context,
        principal: run.principal,
        window: run.window,
        policy,
        gates: this.#gates,
        sendTimes: this.#sendTimes,
        totals: run.totals,
        pull: (collection) => this.#puller.forConflict(collection, run),
      },
      owner,
      this.#onChange,
    );
    this.#pass = pass;
    try {
      const { signal } = run.window;
      const end = await link.drain(owner, signal, () => {
        this.#setPhase('pushing');
        return pass.run();
      });
      run.isOpenQuestion = pass.isOpenQuestion && run.window.end === undefined;
      return end ?? run.window.end ?? 'aborted';
    } finally {
      this.#pass = undefined;
    }
  }

  /** Writes made while rows are fetched do not wait for the last page. */
  async #pushNews(run: Run): Promise<PushEnd> {
    const end = this.#hasNews ? await this.#push(run) : 'drained';
    this.#setPhase('pulling');
    return end;
  }

  #setPhase(phase: 'idle' | 'pushing' | 'pulling'): void {
    if (phase === this.#phase) return;
    this.#phase = phase;
    this.#onChange();
  }
}
