import { isNexusError, RemoteError } from '../model/errors.ts';
import type { SyncFailure } from '../model/outcome.ts';
import { heldError } from './gate.ts';
import type { GateWatch } from './gate-watch.ts';
import { isEndpointError, PullFailures } from './pull-failures.ts';
import { PullPass, type PullEnd } from './pull-pass.ts';
import type { PushEnd } from './push-pass.ts';
import type { RunWindow } from './run-window.ts';
import type { Principal, RunTotals, SyncContext } from './sync-context.ts';

/** A pull that others' writes overtook is tried again after this, doubled each time, up to the cap. */
const AGAIN_MS = 1_000;
const AGAIN_CAP_MS = 300_000;

/** What of a run concerns its pulls. */
interface PullingRun {
  readonly window: RunWindow;
  readonly principal: Principal;
  readonly totals: RunTotals;
  readonly pull: PullPass;
}

interface PullerListener {
  readonly onFailure: (failure: SyncFailure) => void;
  /** A fetch was overtaken: a timer has to see to it. */
  readonly onOvertaken: () => void;
}

/** Fetches what changed on the server: all of it in a run, one collection for whoever asks. */
export class Puller {
  readonly #context: SyncContext;
  readonly #gates: GateWatch;
  readonly #failures: PullFailures;
  readonly #listener: PullerListener;
  /** Pulls in a row that were left unfinished because writes overtook them. */
  #overtaken = 0;

  constructor(context: SyncContext, gates: GateWatch, listener: PullerListener) {
    this.#context = context;
    this.#gates = gates;
    this.#failures = new PullFailures(context, gates);
    this.#listener = listener;
  }

  /** How soon what was overtaken must be tried again; null: nothing was. */
  get dueInMs(): number | null {
    if (this.#overtaken === 0) return null;
    return Math.min(AGAIN_CAP_MS, AGAIN_MS * 2 ** Math.min(this.#overtaken - 1, 20));
  }

  /** Somebody else is served from here on. */
  forget(): void {
    this.#overtaken = 0;
  }

  /**
   * Every collection that is pulled, in a run.
   *
   * @param beforePage what goes first; anything but `drained` ends the pull. Absent: a push has just failed, and
   *   this is to show whether the way does
   */
  async all({ window, pull }: PullingRun, beforePage?: () => Promise<PushEnd>): Promise<PushEnd> {
    if (!this.#context.remote.capabilities.pull) return 'drained';
    let end: PushEnd = 'drained';
    const isCheck = beforePage === undefined;
    const mayGoOn = async (): Promise<boolean> => {
      end = (await beforePage?.()) ?? 'drained';
      return end === 'drained';
    };
    let refusal: PushEnd | undefined;
    let isOvertaken = false;
    const started = this.#gates.begin();
    const pulledOnes = this.#context.collections().filter(({ isPulled }) => isPulled);
    // Nothing is asked, so nothing is learnt.
    if (pulledOnes.length === 0) return end;
    for (const { name } of pulledOnes) {
      const isLast = name === pulledOnes.at(-1)?.name && refusal === undefined && !isOvertaken;
      try {
        const pulled = await pull.pull(name, mayGoOn, isLast);
        if (pulled === 'held') return 'blocked';
        if (pulled === 'overtaken') isOvertaken = true;
        if (pulled === 'ended') return end === 'drained' ? (window.end ?? 'deadline') : end;
      } catch (error) {
        if (window.end !== undefined) return window.end;
        const stoppedBy = await this.#onError(error, isCheck);
        // A refusal of one collection says nothing of the others.
        if (isEndpointError(error)) return stoppedBy;
        refusal = stoppedBy;
      }
    }
    await this.#failures.forgive(started, isCheck);
    this.#overtaken = isOvertaken ? this.#overtaken + 1 : 0;
    return refusal ?? (isOvertaken ? 'deadline' : end);
  }

  /** What a conflict is decided on. False if the server could not be asked. */
  async forConflict(collection: string, run: PullingRun): Promise<boolean> {
    if (!this.#context.remote.capabilities.pull) return false;
    const pull = new PullPass(this.#context, run.principal, run.window, this.#gates);
    try {
      const end = await pull.pull(collection);
      run.totals.pulled += pull.pulled;
      return end === 'done';
    } catch (error) {
      if (!isNexusError(error) || !error.code.startsWith('remote/')) throw error;
      return false;
    }
  }

  /** @throws RemoteError when the server cannot be asked, or writes of the same rows overtook it */
  async fetch(collection: string, window: RunWindow, principal: Principal): Promise<void> {
    const pull = new PullPass(this.#context, principal, window, this.#gates);
    const started = this.#gates.begin();
    let end: PullEnd;
    try {
      end = await pull.pull(collection);
      if (end === 'done') await this.#failures.forgive(started, false);
    } catch (error) {
      if (window.end === undefined) await this.#onError(error, false);
      throw error;
    }
    if (end === 'held') throw heldError(this.#gates.gate, this.#context.runtime.clock.now());
    if (end === 'ended') throw new RemoteError('remote/timeout', 'the fetch was cut off');
    if (end === 'done') return;
    this.#overtaken = Math.max(1, this.#overtaken);
    this.#listener.onOvertaken();
    throw new RemoteError('remote/timeout', 'writes of the same rows overtook the fetch');
  }

  async #onError(error: unknown, isCheck: boolean): Promise<PushEnd> {
    const { failure, stoppedBy } = await this.#failures.onError(error, isCheck);
    this.#listener.onFailure(failure);
    return stoppedBy;
  }
}
