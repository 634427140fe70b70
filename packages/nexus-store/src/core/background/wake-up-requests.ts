import type { ScheduleErrorCode } from '../model/errors.ts';
import type {
  PlatformScheduler,
  ScheduleRequest,
  ScheduleResult,
  WeakenedField,
} from '../ports/platform-scheduler.ts';
import type { Runtime } from '../ports/runtime.ts';
import { weakenedFields, type BackgroundSyncConfig } from './background-sync-config.ts';
import type { ServiceMemory } from './service-memory.ts';
import { hintedIntervalMs, type ServiceState } from './service-state.ts';
import { notBeforeAfter, planWakeUps, requestIds, type PolicyFacts } from './wake-up-policy.ts';
import { within } from './within.ts';

/** What the system said to a request for wake-ups. */
export interface ScheduleOutcome {
  /** True if the system accepted every request. */
  readonly ok: boolean;
  /** Where the platform honours less than was asked, by the configuration's field. */
  readonly weakened: readonly WeakenedField[];
  readonly refused: readonly Refusal[];
}

interface Refusal {
  readonly id: string;
  readonly code: ScheduleErrorCode;
  readonly message: string;
}

/** What the queue and the device say when wake-ups are asked for. */
export type AskFacts = Pick<
  PolicyFacts,
  'pending' | 'nextAttemptAt' | 'isInFront' | 'isOffline' | 'running'
>;

/** A run that is about to be completed. */
export interface EndingRun {
  /** Its request. */
  readonly id: string;
  /** It was cut off while it was sending: another must follow. */
  readonly wasCutOff: boolean;
}

export interface WakeUpRequestsOptions {
  readonly id: string;
  readonly scheduler: PlatformScheduler;
  readonly memory: ServiceMemory;
  readonly facts: () => Promise<AskFacts>;
  readonly onTooManyCritical: (allowance: number) => void;
  readonly log: (message: string, error: unknown) => void;
}

const HOUR_MS = 3_600_000;
/** A system that does not answer within this time has refused. */
const ANSWER_MS = 10_000;
const FIRST_RETRY_MS = 60_000;
/** Refusals that asking again does not change, only another build of the app. */
const LASTING: ReadonlySet<ScheduleErrorCode> = new Set<ScheduleErrorCode>([
  'schedule/unsupported',
  'schedule/not-permitted',
  'schedule/not-configured',
  'schedule/invalid',
]);
const NOTHING_ASKED: ScheduleOutcome = { ok: true, weakened: [], refused: [] };

/**
 * Asks the system for the wake-ups that what waits deserves, one ask after another, and asks again
 * when the system refused.
 */
export class WakeUpRequests {
  readonly #runtime: Runtime;
  readonly #options: WakeUpRequestsOptions;
  #turn: Promise<unknown> = Promise.resolve();
  #cancelTimer: (() => void) | undefined;
  #timerAt = Infinity;
  #retries = 0;
  #isStopped = false;
  /** The periodic request as this process last saw it accepted. */
  #periodic: string | undefined;

  constructor(runtime: Runtime, options: WakeUpRequestsOptions) {
    this.#runtime = runtime;
    this.#options = options;
  }

  /**
   * Asks now.
   *
   * @param ending the run that is about to be completed, and asks for what follows it
   */
  ask(config: BackgroundSyncConfig, ending?: EndingRun): Promise<ScheduleOutcome> {
    this.#clearTimer();
    return this.#next(() => this.#ask(config, ending));
  }

  /** Calls for an ask soon; what comes until then is asked for together. */
  askSoon(ask: () => Promise<unknown>, delayMs: number): void {
    const at = this.#runtime.clock.elapsed() + delayMs;
    if (this.#isStopped || at >= this.#timerAt) return;
    this.#clearTimer();
    this.#timerAt = at;
    this.#cancelTimer = this.#runtime.timers.after(delayMs, () => {
      this.#clearTimer();
      ask().catch((error: unknown) => this.#options.log('asking for a wake-up failed', error));
    });
  }

  /** Takes every request back. */
  cancel(): Promise<void> {
    this.#clearTimer();
    return this.#next(async () => {
      const { periodic, soon, critical } = requestIds(this.#options.id);
      for (const id of [soon, critical, periodic]) await this.#cancel(id);
      this.#periodic = undefined;
      await this.#options.memory.change((state) => ({ ...state, asked: {}, periodic: null }));
    });
  }

  /** Ends the timers; waits for what is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#clearTimer();
    await this.#turn;
  }

  /** The system forgot, or may have: the next ask says everything again. */
  forget(): void {
    this.#periodic = undefined;
    this.#retries = 0;
  }

  #next<T>(step: () => Promise<T>): Promise<T> {
    const next = this.#turn.then(step);
    this.#turn = next.catch(() => {});
    return next;
  }

  #clearTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#timerAt = Infinity;
  }

  async #ask(config: BackgroundSyncConfig, ending?: EndingRun): Promise<ScheduleOutcome> {
    const { id, scheduler, memory, onTooManyCritical } = this.#options;
    if (this.#isStopped) return NOTHING_ASKED;
    const [state, facts] = await Promise.all([memory.load(), this.#options.facts()]);
    const now = this.#runtime.clock.now();
    const plan = planWakeUps(id, {
      ...facts,
      now,
      config,
      wasCutOff: ending?.wasCutOff ?? false,
      isRunAtWork: [...facts.running].some((other) => other !== ending?.id),
      capabilities: scheduler.capabilities,
      notBefore: notBeforeAfter(config, state.failures, state.failedAt ?? now),
      criticalAskedAt: state.criticalAskedAt,
      hintedIntervalMs: hintedIntervalMs(state, now),
      asked: state.asked,
      random: () => this.#runtime.random.float(),
    });
    for (const cancelled of plan.cancels) await this.#cancel(cancelled);
    const answers: Answer[] = [];
    for (const request of plan.requests) answers.push(await this.#request(request, state));
    const warns =
      plan.exceedsCriticalAllowance &&
      (state.criticalWarnedAt === null || now - state.criticalWarnedAt >= HOUR_MS);
    if (warns) onTooManyCritical(config.criticalPerHour);
    const { running } = facts;
    await memory.change((stored) =>
      remember(stored, { id, answers, now, warns, cancels: plan.cancels, running }),
    );
    const isAccepted = answers.some(({ result }) => result.ok);
    if (isAccepted && running.size === 0) memory.moveTo('scheduled');
    return this.#conclude(config, answers);
  }

  async #request(request: ScheduleRequest, state: ServiceState): Promise<Answer> {
    const { id } = this.#options;
    if (request.id !== requestIds(id).periodic)
      return { request, result: await this.#call(request) };
    const signature = signatureOf(request);
    if (signature === this.#periodic) return { request, result: KEPT };
    // Asked in place of the same, a periodic request would begin its interval anew on some systems.
    const existing = signature === state.periodic ? 'keep' : 'update';
    const result = await this.#call({ ...request, existing });
    this.#periodic = result.ok ? signature : undefined;
    return { request, result };
  }

  #call(request: ScheduleRequest): Promise<ScheduleResult> {
    const refuse = (error: unknown): ScheduleResult => {
      this.#options.log('the scheduler did not answer', error);
      return { ok: false, code: 'schedule/host', message: String(error) };
    };
    const { scheduler } = this.#options;
    return within(this.#runtime, ANSWER_MS, () => scheduler.schedule(request), refuse);
  }

  #cancel(id: string): Promise<boolean> {
    return within(
      this.#runtime,
      ANSWER_MS,
      () => this.#options.scheduler.cancel(id),
      (error) => {
        this.#options.log('a request could not be cancelled', error);
        return false;
      },
    );
  }

  #conclude(config: BackgroundSyncConfig, answers: readonly Answer[]): ScheduleOutcome {
    const refused = refusalsOf(answers);
    if (refused.some(({ code }) => !LASTING.has(code))) {
      // The next start asks again in any case; this is for a process that lives on.
      const delayMs = Math.min(HOUR_MS, FIRST_RETRY_MS * 2 ** this.#retries);
      this.askSoon(() => this.ask(config), delayMs);
      this.#retries = Math.min(this.#retries + 1, 10);
    } else {
      this.#retries = 0;
    }
    const answered = answers.flatMap(({ result }) => (result.ok ? result.weakened : []));
    const { capabilities } = this.#options.scheduler;
    return {
      ok: refused.length === 0,
      weakened: weakenedFields(capabilities, config, answered),
      refused,
    };
  }
}

interface Answer {
  readonly request: ScheduleRequest;
  readonly result: ScheduleResult;
}

const KEPT: ScheduleResult = { ok: true, effect: 'kept', weakened: [] };

function refusalsOf(answers: readonly Answer[]): readonly Refusal[] {
  return answers.flatMap(({ request, result }) =>
    result.ok ? [] : [{ id: request.id, code: result.code, message: result.message }],
  );
}

/** Everything of a periodic request but the moment of its first run. */
function signatureOf({ intervalMs, constraints, backoff }: ScheduleRequest): string {
  return JSON.stringify([intervalMs, constraints, backoff]);
}

/** What an ask came to. */
interface Asked {
  readonly id: string;
  readonly answers: readonly Answer[];
  readonly cancels: readonly string[];
  readonly running: ReadonlySet<string>;
  readonly now: number;
  readonly warns: boolean;
}

/** The state after an ask. */
function remember(state: ServiceState, ask: Asked): ServiceState {
  const { answers, now } = ask;
  const ids = requestIds(ask.id);
  const asked: Record<string, number> = { ...state.asked };
  for (const cancelled of ask.cancels) delete asked[cancelled];
  let { periodic, criticalAskedAt } = state;
  for (const { request, result } of answers) {
    if (!result.ok) continue;
    if (request.id === ids.periodic) periodic = signatureOf(request);
    else if (result.effect !== 'kept' || asked[request.id] === undefined)
      asked[request.id] = request.earliestBeginAt ?? now;
    const isNewRun = result.effect === 'added' || result.effect === 'updated-next-run';
    if (request.id === ids.critical && isNewRun) criticalAskedAt = [...criticalAskedAt, now];
  }
  const [refused] = refusalsOf(answers);
  const isAccepted = answers.some(({ result }) => result.ok);
  return {
    ...state,
    // A run at work tells its own story, and how it ended stays to be seen.
    status: isAccepted && ask.running.size === 0 ? 'scheduled' : state.status,
    asked,
    periodic,
    criticalAskedAt: criticalAskedAt.filter((at) => at > now - HOUR_MS && at <= now).slice(-100),
    criticalWarnedAt: ask.warns ? now : state.criticalWarnedAt,
    acceptedAt: isAccepted ? now : state.acceptedAt,
    refusal: refused === undefined ? null : { ...refused, at: now },
  };
}
