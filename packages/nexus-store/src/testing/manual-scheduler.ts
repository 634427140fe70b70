import { NAME, OBJECT, requireKind } from '../core/model/arguments.ts';
import { abortWith } from '../core/background/abort-with.ts';
import type {
  PendingRequest,
  PlatformScheduler,
  RunResult,
  SchedulerCapabilities,
  ScheduleRequest,
  ScheduleResult,
  StopReason,
  WakeUp,
} from '../core/ports/platform-scheduler.ts';
import { RUNTIME } from '../core/ports/kinds.ts';
import type { Runtime } from '../core/ports/runtime.ts';
import { FINITE } from './option-kinds.ts';

/** A wake-up as the test that gave it sees it. */
export interface ManualWakeUp {
  /** Every call of `complete`, in order: there should be one. */
  readonly results: readonly RunResult[];
  /** The system ends the run: the signal aborts. */
  expire(reason: StopReason): void;
}

const EVERYTHING: SchedulerCapabilities = {
  kinds: ['once', 'periodic'],
  constraints: [
    'networkType',
    'requiresCharging',
    'requiresBatteryNotLow',
    'requiresStorageNotLow',
    'requiresDeviceIdle',
  ],
  networkTypes: ['not-required', 'connected', 'unmetered', 'not-roaming', 'metered'],
  minIntervalMs: 900_000,
  maxRunMs: 600_000,
  expedited: true,
  idsShareOneWorker: false,
  resultHonoured: true,
  survivesKill: true,
};

/** A scheduler that wakes nobody by itself: it notes what is asked of it, and a test gives the wake-ups. */
export class ManualScheduler implements PlatformScheduler {
  readonly capabilities: SchedulerCapabilities;
  /** What was asked and is pending, by id. */
  readonly requests: Map<string, ScheduleRequest> = new Map();
  /** Every call of `schedule`, in order. */
  readonly asked: ScheduleRequest[] = [];
  /** What `schedule` answers instead; undefined: it accepts. */
  answer: ((request: ScheduleRequest) => Promise<ScheduleResult> | undefined) | undefined;
  readonly #runtime: Runtime;
  readonly #running = new Set<string>();
  #handler: ((wakeUp: WakeUp) => void) | undefined;
  #held: WakeUp[] = [];
  #runs = 0;

  constructor(runtime: Runtime, capabilities: Partial<SchedulerCapabilities> = {}) {
    requireKind('a manual scheduler: runtime', runtime, RUNTIME);
    requireKind('a manual scheduler: capabilities', capabilities, OBJECT);
    this.#runtime = runtime;
    this.capabilities = { ...EVERYTHING, ...capabilities };
  }

  onWakeUp(handler: (wakeUp: WakeUp) => void): void {
    if (this.#handler !== undefined) throw new TypeError('onWakeUp was called before');
    this.#handler = handler;
    for (const wakeUp of this.#held.splice(0)) handler(wakeUp);
  }

  async schedule(request: ScheduleRequest): Promise<ScheduleResult> {
    this.asked.push(request);
    const answered = this.answer?.(request);
    if (answered !== undefined) return answered;
    const isPending = this.requests.has(request.id);
    if (isPending && request.existing === 'keep') return { ok: true, effect: 'kept', weakened: [] };
    this.requests.set(request.id, request);
    if (this.#running.has(request.id))
      return { ok: true, effect: 'updated-next-run', weakened: [] };
    return { ok: true, effect: isPending ? 'updated-now' : 'added', weakened: [] };
  }

  async cancel(id: string): Promise<boolean> {
    return this.requests.delete(id);
  }

  async pending(): Promise<readonly PendingRequest[]> {
    return Array.from(this.requests.values(), ({ id, earliestBeginAt }) => ({
      id,
      state: this.#running.has(id) ? 'running' : 'waiting',
      ...(earliestBeginAt === undefined ? {} : { nextAt: earliestBeginAt }),
    }));
  }

  /** Wakes the app for a request, with this much time. */
  wake(id: string, windowMs: number = 30_000, more: Partial<WakeUp> = {}): ManualWakeUp {
    requireKind('wake: id', id, NAME);
    requireKind('wake: windowMs', windowMs, FINITE);
    requireKind('wake: more', more, OBJECT);
    const controller = new AbortController();
    const results: RunResult[] = [];
    this.#runs += 1;
    this.#running.add(id);
    // It is used up by the launch; what is asked under its name from now on comes after it.
    if (this.requests.get(id)?.kind === 'once') this.requests.delete(id);
    const wakeUp: WakeUp = {
      id,
      runId: `run-${this.#runs}`,
      attempt: 1,
      reason: 'scheduled',
      appState: 'headless',
      deadline: this.#runtime.clock.now() + windowMs,
      signal: controller.signal,
      complete: (result) => {
        this.#running.delete(id);
        results.push(result);
      },
      ...more,
    };
    if (this.#handler === undefined) this.#held.push(wakeUp);
    else this.#handler(wakeUp);
    return { results, expire: (reason) => abortWith(controller, reason) };
  }
}

/** A scheduler for tests of what is done in wake-ups, and asked for between them. */
export function manualScheduler(
  runtime: Runtime,
  capabilities?: Partial<SchedulerCapabilities>,
): ManualScheduler {
  return new ManualScheduler(runtime, capabilities);
}
