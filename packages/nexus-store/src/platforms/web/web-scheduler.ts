import type { TimerScheduler } from '../../core/background/timer-scheduler.ts';
import type {
  PendingRequest,
  PlatformScheduler,
  ScheduleRequest,
  ScheduleResult,
  SchedulerCapabilities,
  WakeUp,
} from '../../core/ports/platform-scheduler.ts';
import type { Clock } from '../../core/ports/runtime.ts';
import type { BrowserSync } from './browser-sync.ts';

/** What is due within this time is as good as due: the browser has no timers to give. */
const NEAR_MS = 5_000;

export interface WebSchedulerParts {
  readonly clock: Clock;
  /** Runs what is asked for while the page lives. */
  readonly timers: TimerScheduler;
  /** Runs it in the service worker when the page is gone. */
  readonly browser: BrowserSync;
  /** False if there certainly is no network. */
  readonly mayBeConnected: () => boolean;
}

/**
 * Wake-ups in a page: from its timers while it lives, and beside them requests to the browser, which wakes
 * the service worker when the page is gone. The browser knows of no time: a one-off goes to it when it is
 * due, or at once without a network, because then it waits for the network and survives the page. Both may
 * wake at once; they take turns, and the second finds nothing to do.
 *
 * What is claimed is what the timers keep. What the browser adds is not promised by anybody.
 */
export class WebScheduler implements PlatformScheduler {
  readonly #parts: WebSchedulerParts;

  constructor(parts: WebSchedulerParts) {
    this.#parts = parts;
  }

  get capabilities(): SchedulerCapabilities {
    return this.#parts.timers.capabilities;
  }

  onWakeUp(handler: (wakeUp: WakeUp) => void): void {
    const { timers, browser } = this.#parts;
    const periodic = this.#periodic;
    timers.onWakeUp((wakeUp) => {
      // Should the tab end before the run does, the service worker goes on.
      if (!periodic.has(wakeUp.id)) void browser.once(wakeUp.id);
      handler(wakeUp);
    });
  }

  readonly #periodic = new Set<string>();

  async schedule(request: ScheduleRequest): Promise<ScheduleResult> {
    const { timers, browser, clock, mayBeConnected } = this.#parts;
    const result = await timers.schedule(request);
    if (!result.ok) return result;
    const { id, kind, earliestBeginAt = 0, intervalMs = 0 } = request;
    if (kind === 'periodic') {
      this.#periodic.add(id);
      void browser.periodic(id, intervalMs);
    } else {
      this.#periodic.delete(id);
      if (!mayBeConnected() || earliestBeginAt <= clock.now() + NEAR_MS) void browser.once(id);
    }
    return result;
  }

  async cancel(id: string): Promise<boolean> {
    const { timers, browser } = this.#parts;
    if (this.#periodic.delete(id)) await browser.cancel(id);
    return timers.cancel(id);
  }

  pending(): Promise<readonly PendingRequest[]> {
    return this.#parts.timers.pending();
  }

  dispose(): void {
    this.#parts.timers.dispose();
  }
}
