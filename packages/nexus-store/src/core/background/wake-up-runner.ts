import type { SyncEvent } from '../model/events.ts';
import type { DeviceFacts } from '../ports/device-state.ts';
import type { WakeUp } from '../ports/platform-scheduler.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { BackgroundSyncConfig } from './background-sync-config.ts';
import type { BackgroundSyncTask } from './background-sync-task.ts';
import { runTasks } from './budgeted-run.ts';
import { newRecord, type JournalRecord, type StateChange } from './journal.ts';
import { endOf, isCutOff, type Pass, type RunEnd } from './run-result.ts';
import type { ServiceMemory } from './service-memory.ts';
import type { ServiceState } from './service-state.ts';
import { storeSyncTask } from './store-sync-task.ts';
import type { StoreBackend } from '../store/store-backend.ts';
import { hardUnmet, type UnmetConstraint } from './unmet-constraints.ts';
import { constraintsOf } from './wake-up-policy.ts';
import type { EndingRun } from './wake-up-requests.ts';
import { WakeUpRun } from './wake-up-run.ts';

export interface WakeUpRunnerOptions {
  readonly id: string;
  readonly memory: ServiceMemory;
  readonly backend: StoreBackend | undefined;
  /** The app's own tasks. */
  readonly tasks: () => readonly BackgroundSyncTask[];
  /** As it was given in this process, else as it was last given. */
  readonly config: (state: ServiceState | undefined) => BackgroundSyncConfig;
  readonly device: () => Promise<DeviceFacts | null>;
  /** Asks for the next wake-up, before the system hears of the end: then it may take the process. */
  readonly askForNext: (config: BackgroundSyncConfig, ending: EndingRun) => Promise<void>;
  /** The last of the runs at work has ended. */
  readonly onIdle: () => void;
  readonly emit: (event: SyncEvent) => void;
  readonly log: (message: string, error: unknown) => void;
}

/** Does what there is to do within wake-ups. A wake-up that comes while a run is at work joins it. */
export class WakeUpRunner {
  readonly #runtime: Runtime;
  readonly #options: WakeUpRunnerOptions;
  readonly #active = new Set<WakeUpRun>();
  /** Of these the ones that have not come to their end yet. */
  readonly #atWork = new Set<WakeUpRun>();
  #latest: Promise<Pass> | undefined;

  constructor(runtime: Runtime, options: WakeUpRunnerOptions) {
    this.#runtime = runtime;
    this.#options = options;
  }

  /** The requests whose runs are at work. */
  get running(): ReadonlySet<string> {
    return new Set([...this.#active].map(({ wakeUp }) => wakeUp.id));
  }

  get isRunning(): boolean {
    return this.#active.size > 0;
  }

  /** Never rejects. Resolves when the run is completed. */
  async receive(wakeUp: WakeUp): Promise<void> {
    // One turn later: in a headless start the configuration is given right after the inbox is taken.
    await Promise.resolve();
    const { memory, log } = this.#options;
    const { budget } = this.#options.config(memory.seen);
    const run = new WakeUpRun(this.#runtime, wakeUp, budget, (error) =>
      log('a wake-up could not be completed', error),
    );
    this.#active.add(run);
    this.#atWork.add(run);
    const performed = this.#perform(run).catch((error: unknown) => {
      log('a background run failed', error);
      run.complete('retry');
    });
    await Promise.race([performed, run.ended]);
    this.#active.delete(run);
    this.#atWork.delete(run);
    if (this.#active.size === 0) this.#options.onIdle();
  }

  /** Ends the runs at work, as the system would. */
  async stop(): Promise<void> {
    const runs = [...this.#active];
    for (const run of runs) run.stop('cancelled');
    await Promise.all(runs.map(({ ended }) => ended));
  }

  async #perform(run: WakeUpRun): Promise<void> {
    const { memory, emit, log } = this.#options;
    const { wakeUp } = run;
    memory.moveTo('running');
    emit({ type: 'wake-up-began', requestId: wakeUp.id, reason: wakeUp.reason });
    let record = newRecord(wakeUp, run.beganAt);
    // Not awaited: a slow disk must not eat the window. Whatever the run writes comes after it.
    const begun = memory
      .begin(record, (state) => ({ ...state, status: 'running' }))
      .catch((error: unknown) => {
        log('the journal could not be written', error);
        return null;
      });
    const [state, device] = await Promise.all([memory.load(), this.#options.device()]);
    const config = this.#options.config(state);
    const unmet = this.#unmet(wakeUp, config, device);
    const pass = this.#passOf(run, config, unmet, this.#latest);
    this.#latest = pass;
    const done = await pass;
    if (this.#latest === pass) this.#latest = undefined;
    const attempt = Math.max(wakeUp.attempt, (memory.seen ?? state).failures + 1);
    const end = endOf(done, run.stopReason, attempt, config.retryPolicy.maxAttempts);
    record = this.#concluded({ ...record, device, attempt }, run, done, end);
    await this.#close(run, record, await begun, end, config);
  }

  /** What of the constraints the host did not enforce. Whoever forces a run wants to see it run. */
  #unmet(
    wakeUp: WakeUp,
    config: BackgroundSyncConfig,
    device: DeviceFacts | null,
  ): readonly UnmetConstraint[] {
    if (device === null || wakeUp.reason === 'forced') return [];
    return hardUnmet(constraintsOf(this.#options.id, wakeUp.id, config), device);
  }

  async #passOf(
    run: WakeUpRun,
    config: BackgroundSyncConfig,
    unmet: readonly UnmetConstraint[],
    earlier: Promise<Pass> | undefined,
  ): Promise<Pass> {
    const nothing: Pass = {
      runId: run.wakeUp.runId,
      unmet,
      tasks: [],
      report: null,
      joined: null,
      isOvertaken: false,
    };
    if (unmet.length > 0 || !config.enabled) return nothing;
    if (earlier !== undefined) {
      const theirs = await Promise.race([earlier.catch(() => null), run.cut.then(() => undefined)]);
      if (theirs === undefined) return { ...nothing, isOvertaken: true };
      // What ended before its time leaves something for a longer window.
      const isWhole = theirs !== null && theirs.unmet.length === 0 && !isCutOff(theirs);
      if (isWhole) return { ...theirs, runId: nothing.runId, joined: theirs.runId };
    }
    const { backend } = this.#options;
    const sync = backend === undefined ? undefined : storeSyncTask(backend);
    const own = this.#options.tasks();
    const tasks = await runTasks(this.#runtime, sync === undefined ? own : [sync, ...own], {
      windowMs: run.leftMs,
      signal: run.signal,
      reason: run.wakeUp.reason,
      attempt: run.wakeUp.attempt,
    });
    return { ...nothing, tasks, report: sync?.report ?? null };
  }

  #concluded(record: JournalRecord, run: WakeUpRun, pass: Pass, end: RunEnd): JournalRecord {
    const { unmet, tasks, report, joined } = pass;
    // Counted once, by the run that did it.
    const own = joined === null ? report : null;
    const stopped = isCutOff(pass) ? 'timeout' : null;
    return {
      ...record,
      endedAt: this.#runtime.clock.now(),
      unmet,
      joined,
      pushed: own?.pushed ?? 0,
      pulled: own?.pulled ?? 0,
      remaining: report?.remaining ?? null,
      stoppedBy: unmet.length > 0 ? 'constraint' : (report?.stoppedBy ?? null),
      stopReason: run.stopReason ?? stopped,
      result: end.result,
      tasks: joined === null ? tasks : [],
      error: tasks.find(({ error }) => error !== undefined)?.error ?? null,
    };
  }

  /** Journal, next request, completion, in this order: after the last the process may be gone. */
  async #close(
    run: WakeUpRun,
    record: JournalRecord,
    recordId: number | null,
    end: RunEnd,
    config: BackgroundSyncConfig,
  ): Promise<void> {
    const { memory, emit, log, askForNext } = this.#options;
    this.#atWork.delete(run);
    const status = this.#atWork.size > 0 ? 'running' : end.isDone ? 'completed' : 'failed';
    const change = afterRun(run.wakeUp.id, status, end, record.endedAt ?? run.beganAt);
    try {
      if (recordId === null) await memory.change(change);
      else await memory.end(recordId, record, change);
    } catch (error) {
      log('the journal could not be written', error);
    }
    memory.moveTo(status);
    const { pushed } = record;
    emit({ type: 'wake-up-ended', requestId: run.wakeUp.id, result: end.result, pushed });
    try {
      await askForNext(config, { id: run.wakeUp.id, wasCutOff: end.followsAtOnce });
    } catch (error) {
      log('asking for the next wake-up failed', error);
    }
    run.complete(end.result);
  }
}

/** The state after a run: its request is gone, unless it asks for a retry. */
function afterRun(requestId: string, status: string, end: RunEnd, endedAt: number): StateChange {
  return (state) => {
    const asked: Record<string, number> = { ...state.asked };
    if (end.result !== 'retry') delete asked[requestId];
    return {
      ...state,
      status,
      asked,
      failures: end.isFailure ? state.failures + 1 : 0,
      failedAt: end.isFailure ? endedAt : null,
    };
  };
}
