import { abortWith, type RunResult, type Runtime, type StopReason, type WakeUp } from 'nexus-store';
import type { NativeRun, NativeStop, NativeVerdict } from './native-module.ts';

/** After its signal aborted a run gets this long to complete; native code waits as long. */
const GRACE_MS = 4_000;
/** The system tells the end of a window first. This is for a system that does not. */
const LATE_MS = 250;

interface OpenRun {
  abort(reason: StopReason): void;
}

/**
 * Turns the runs of native code into wake-ups: one executor for the task, made when the package is
 * imported, so that a headless start finds it. Wake-ups that come before anybody listens are held.
 */
export class RunInbox {
  readonly #runtime: Pick<Runtime, 'clock' | 'timers'>;
  readonly #runs = new Map<string, OpenRun>();
  #handler: ((wakeUp: WakeUp) => void) | undefined;
  #held: WakeUp[] = [];

  constructor(runtime: Pick<Runtime, 'clock' | 'timers'>) {
    this.#runtime = runtime;
  }

  /** @throws TypeError if it was called before */
  bind(handler: (wakeUp: WakeUp) => void): void {
    if (this.#handler !== undefined) throw new TypeError('onWakeUp was called before');
    this.#handler = handler;
    const held = this.#held;
    this.#held = [];
    for (const wakeUp of held) handler(wakeUp);
  }

  /** The executor of the task. Never rejects, and always resolves: native code waits for it. */
  readonly execute = ({ data }: { readonly data: unknown }): Promise<NativeVerdict> => {
    const run = data as NativeRun;
    return new Promise((resolve) => {
      this.#begin(run, (result) => resolve({ runId: run.runId, result }));
    });
  };

  /** The system ends a run. */
  stop({ runId, reason }: NativeStop): void {
    this.#runs.get(runId)?.abort(reason);
  }

  #begin(run: NativeRun, report: (result: RunResult) => void): void {
    const { clock, timers } = this.#runtime;
    const controller = new AbortController();
    let cancelTimer = (): void => {};
    const complete = (result: RunResult): void => {
      if (!this.#runs.delete(run.runId)) return;
      cancelTimer();
      report(result);
    };
    const abort = (reason: StopReason): void => {
      if (controller.signal.aborted) return;
      cancelTimer();
      cancelTimer = timers.after(GRACE_MS, () => complete('retry'));
      abortWith(controller, reason);
    };
    this.#runs.set(run.runId, { abort });
    if (Number.isFinite(run.deadline)) {
      const windowMs = Math.max(0, run.deadline - clock.now()) + LATE_MS;
      cancelTimer = timers.after(windowMs, () => abort('timeout'));
    }
    const { id, runId, attempt, reason, appState, deadline } = run;
    this.#deliver({
      ...{ id, runId, attempt, reason, appState, deadline, complete },
      signal: controller.signal,
    });
  }

  #deliver(wakeUp: WakeUp): void {
    if (this.#handler === undefined) this.#held.push(wakeUp);
    else this.#handler(wakeUp);
  }
}
