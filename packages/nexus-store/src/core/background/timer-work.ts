import type { PendingRequest } from '../ports/platform-scheduler.ts';
import { backoffMs, type TimerRequest } from './timer-request.ts';
import type { TimerRun } from './timer-run.ts';

/** One unique piece of work and where it stands. Instants are epoch milliseconds. */
export class TimerWork {
  request: TimerRequest;
  run: TimerRun | undefined;
  /** Due, and held back by the device. */
  isBlocked = false;
  /** Monotonic milliseconds since when nothing but the network holds it back. */
  offlineSince: number | undefined;
  /** What an update asked for while a run was under way. */
  #next: TimerRequest | undefined;
  /** Runs in a row that ended with `retry`. */
  #retries = 0;
  #retryAt = 0;
  /** When it was asked for, or when its last period began. */
  #baseAt: number;
  #hasRun = false;

  constructor(request: TimerRequest, now: number) {
    this.request = request;
    this.#baseAt = now;
  }

  get attempt(): number {
    return this.#retries + 1;
  }

  /** When it may begin, as far as time goes. */
  get dueAt(): number {
    const { kind, earliestBeginAt, intervalMs, flexMs } = this.request;
    if (kind === 'once') return Math.max(this.#baseAt, earliestBeginAt, this.#retryAt);
    const wholeAt = this.#baseAt + intervalMs;
    if (this.#retryAt > 0) return Math.min(this.#retryAt, wholeAt);
    if (this.#hasRun) return wholeAt;
    return Math.max(this.#baseAt, earliestBeginAt) + (flexMs > 0 ? intervalMs - flexMs : 0);
  }

  get pending(): PendingRequest {
    const { id } = this.request;
    if (this.run !== undefined) return { id, state: 'running', attempt: this.attempt };
    const state = this.isBlocked ? 'blocked' : 'waiting';
    return { id, state, nextAt: this.dueAt, attempt: this.attempt };
  }

  /**
   * Takes another request for the same work, at once or after its run. Periodic work keeps its place in
   * time: the earliest begin is a delay before the first period, and counts from when it was first asked
   * for. Otherwise one that is asked for again and again would never run.
   */
  update(request: TimerRequest, now: number): 'updated-now' | 'updated-next-run' {
    if (this.run !== undefined) {
      this.#next = request;
      return 'updated-next-run';
    }
    const { kind, earliestBeginAt } = request;
    const delayMs = Math.max(0, earliestBeginAt - now);
    this.request =
      kind === 'periodic' ? { ...request, earliestBeginAt: this.#baseAt + delayMs } : request;
    return 'updated-now';
  }

  begin(run: TimerRun, now: number): void {
    this.run = run;
    this.isBlocked = false;
    this.offlineSince = undefined;
    this.#baseAt = now;
    this.#hasRun = true;
  }

  /** Takes the end of its run. True if another one is to come. */
  end(wantsRetry: boolean, now: number): boolean {
    const next = this.#next;
    this.run = undefined;
    this.#next = undefined;
    this.request = next ?? this.request;
    if (wantsRetry) {
      this.#retries += 1;
      this.#retryAt = now + backoffMs(this.request, this.#retries);
      return true;
    }
    this.#retries = 0;
    this.#retryAt = 0;
    return this.request.kind === 'periodic' || next !== undefined;
  }

  /** The wall clock was set: what is to come keeps its distance. */
  shift(stepMs: number): void {
    this.request = shifted(this.request, stepMs);
    this.#next = this.#next && shifted(this.#next, stepMs);
    this.#baseAt += stepMs;
    if (this.#retryAt > 0) this.#retryAt = Math.max(1, this.#retryAt + stepMs);
  }
}

function shifted(request: TimerRequest, stepMs: number): TimerRequest {
  return request.earliestBeginAt === 0
    ? request
    : { ...request, earliestBeginAt: Math.max(1, request.earliestBeginAt + stepMs) };
}
