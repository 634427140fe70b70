import { isNexusError } from '../model/errors.ts';
import type { SyncFailure } from '../model/outcome.ts';
import type { SyncReport } from '../model/sync-report.ts';
import { hasReady, nextDueAt } from '../queue/claim.ts';
import type { PriorityRank } from '../model/priority.ts';
import {
  afterFailure,
  askedToWaitUntil,
  gateUntil,
  readGate,
  writeGate,
  type Gate,
} from './gate.ts';
import { PullPass } from './pull-pass.ts';
import { PushPass, type PushEnd } from './push-pass.ts';
import { RunWindow, SendTimes } from './run-window.ts';
import type { SyncContext } from './sync-context.ts';
import type { SyncOptions } from './sync-options.ts';

/** What is left after a run. */
interface Rest {
  readonly remaining: number;
  readonly nextAttemptAt: number | null;
}

/**
 * Sends what is queued and fetches what changed, one run at a time. Knows when the next attempt is
 * due; who calls it then is decided elsewhere.
 */
export class Engine {
  readonly #context: SyncContext;
  readonly #owner: string;
  readonly #sendTimes = new SendTimes();
  readonly #onChange: () => void;
  #running: Promise<SyncReport> | undefined;
  #window: RunWindow | undefined;
  #pass: PushPass | undefined;
  #phase: 'idle' | 'pushing' | 'pulling' = 'idle';
  #isPaused = false;
  lastSyncedAt: number | null = null;
  lastFailure: SyncFailure | null = null;

  /** @param onChange called when what `phase`, `progress` and the like say has changed */
  constructor(context: SyncContext, onChange: () => void) {
    this.#context = context;
    this.#onChange = onChange;
    this.#owner = context.runtime.ids.uuid();
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

  get claimed(): number {
    return this.#pass?.inFlight ?? 0;
  }

  get pushedInRun(): number | null {
    return this.#pass?.pushed ?? null;
  }

  /** Runs now, or joins the run under way. Never rejects for what network or server do. */
  sync(options: SyncOptions = {}): Promise<SyncReport> {
    this.#running ??= this.#run(options).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /**
   * Fetches what changed in one collection, after the run under way.
   *
   * @throws RemoteError when the server cannot be asked
   */
  async pull(collection: string): Promise<void> {
    await this.#running;
    const { runtime, options } = this.#context;
    const window = new RunWindow(runtime.clock, runtime.timers, {
      budget: options.requestTimeoutMs * 4,
    });
    try {
      await new PullPass(this.#context, window).pull(collection);
    } finally {
      window.dispose();
    }
  }

  /** Tells a run under way that entries came or became free. */
  notify(best: PriorityRank): void {
    this.#pass?.notify(best === 0);
  }

  /** Ends the run under way; what was being sent is sent again later with the same key. */
  async stop(reason: 'aborted' | 'paused'): Promise<void> {
    this.#window?.close(reason);
    await this.#running?.catch(() => {});
  }

  pause(): void {
    this.#isPaused = true;
    this.#window?.close('paused');
  }

  resume(): void {
    this.#isPaused = false;
  }

  async #run(options: SyncOptions): Promise<SyncReport> {
    const { runtime, emit } = this.#context;
    const startedAt = runtime.clock.elapsed();
    emit({ type: 'sync-started', reason: options.reason ?? 'app' });
    const window = new RunWindow(runtime.clock, runtime.timers, options);
    this.#window = window;
    const pass = new PushPass(this.#context, window, this.#sendTimes, this.#owner, this.#onChange);
    const pull = new PullPass(this.#context, window);
    try {
      const stoppedBy = await this.#pushAndPull(window, pass, pull);
      const rest = await this.#rest();
      if (stoppedBy === 'drained') this.lastSyncedAt = runtime.clock.now();
      const report: SyncReport = {
        pushed: pass.pushed,
        pulled: pull.pulled,
        conflicts: pass.conflicts,
        dead: pass.dead,
        ...rest,
        stoppedBy,
        durationMs: runtime.clock.elapsed() - startedAt,
      };
      emit({ type: 'sync-finished', report });
      return report;
    } finally {
      window.dispose();
      this.#window = undefined;
      this.#pass = undefined;
      this.#setPhase('idle');
    }
  }

  async #pushAndPull(window: RunWindow, pass: PushPass, pull: PullPass): Promise<PushEnd> {
    if (this.#isPaused) return 'paused';
    if (window.end !== undefined) return window.end;
    const { writer, runtime } = this.#context;
    const gate = await writer.read(readGate);
    // A server's wish to be left alone counts even for those who ask explicitly.
    if (askedToWaitUntil(gate, runtime.clock.now()) !== null) return 'blocked';
    this.#pass = pass;
    this.#setPhase('pushing');
    const pushed = await pass.run();
    if (pushed !== 'drained') return pushed;
    this.#setPhase('pulling');
    return this.#pull(window, pull);
  }

  async #pull(window: RunWindow, pull: PullPass): Promise<PushEnd> {
    if (!this.#context.remote.capabilities.pull) return 'drained';
    for (const { name, isPulled } of this.#context.collections()) {
      if (!isPulled) continue;
      try {
        if (!(await pull.pull(name))) return window.end ?? 'deadline';
      } catch (error) {
        if (window.end !== undefined) return window.end;
        return this.#onPullError(error);
      }
    }
    return 'drained';
  }

  async #onPullError(error: unknown): Promise<PushEnd> {
    const { runtime, writer, options } = this.#context;
    if (!isNexusError(error) || !error.code.startsWith('remote/')) throw error;
    const now = runtime.clock.now();
    const failure: SyncFailure = {
      code: error.code,
      detail: error.message.slice(0, 1024),
      at: now,
    };
    this.lastFailure = failure;
    const retryAfterMs =
      'retryAfterMs' in error ? (error.retryAfterMs as number | undefined) : undefined;
    await writer.write(async (uow) => {
      const gate = await readGate(uow);
      const block = blockOf(error.code);
      writeGate(
        uow,
        block === null
          ? afterFailure(gate, failure, retryAfterMs, options.backoff, now, () =>
              runtime.random.float(),
            )
          : { ...gate, block, failure },
      );
    });
    return error.code === 'remote/offline' || error.code === 'remote/timeout'
      ? 'offline'
      : 'blocked';
  }

  /** What is left to do, and when. */
  async #rest(): Promise<Rest> {
    const { writer, runtime } = this.#context;
    const { partition } = this.#context.principal();
    return writer.read(async (uow) => {
      await uow.loadState();
      const remaining = uow.counters(partition).pending.reduce((sum, count) => sum + count, 0);
      const now = runtime.clock.now();
      const gate = await readGate(uow);
      this.lastFailure = gate.failure ?? this.lastFailure;
      if (remaining === 0 || gate.block !== null || this.#isPaused)
        return { remaining, nextAttemptAt: null };
      return { remaining, nextAttemptAt: await nextAttemptAt(uow, partition, gate, now) };
    });
  }

  #setPhase(phase: 'idle' | 'pushing' | 'pulling'): void {
    if (phase === this.#phase) return;
    this.#phase = phase;
    this.#onChange();
  }
}

function blockOf(code: string): Gate['block'] {
  if (code === 'remote/unauthorised') return 'unauthorised';
  return code === 'remote/upgrade-required' ? 'upgrade-required' : null;
}

/** When something may be sent, as far as gate, delays and leases go; null if nothing ever may by itself. */
export async function nextAttemptAt(
  uow: Parameters<typeof nextDueAt>[0],
  partition: number,
  gate: Gate,
  now: number,
): Promise<number | null> {
  const dueAt = (await hasReady(uow, partition, 3)) ? now : await nextDueAt(uow, partition, now);
  if (dueAt === null) return null;
  return Math.max(dueAt, gateUntil(gate, now) ?? 0);
}
