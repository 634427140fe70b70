import type {
  BackgroundSyncConfig,
  BackgroundSyncConfigOptions,
} from '../../core/background/background-sync-config.ts';
import {
  BackgroundSyncService,
  type BackgroundSyncServiceOptions,
  type ScheduleOutcome,
} from '../../core/background/background-sync-service.ts';
import { TimerScheduler } from '../../core/background/timer-scheduler.ts';
import { requestIds } from '../../core/background/wake-up-policy.ts';
import { FLAG, FUNCTION, NAME, requireOptions, type Kinds } from '../../core/model/arguments.ts';
import { UsageError } from '../../core/model/errors.ts';
import type { Live } from '../../core/model/live.ts';
import { BACKEND, RUNTIME } from '../../core/ports/kinds.ts';
import type { WeakenedField } from '../../core/ports/platform-scheduler.ts';
import type { Runtime } from '../../core/ports/runtime.ts';
import type { StoreBackend } from '../../core/store/store-backend.ts';
import { pendingTotal } from '../../core/sync/sync-status.ts';
import { showBadge } from './app-badge.ts';
import { BrowserLink } from './browser-link.ts';
import { BrowserSync, type BrowserSupport } from './browser-sync.ts';
import { thisBrowser, type Browser } from './browser.ts';
import type { DrainRequest } from './drain-request.ts';
import { WebDeviceState } from './web-device-state.ts';
import { WebScheduler } from './web-scheduler.ts';

export interface ServiceWorkerSyncServiceOptions extends Omit<
  BackgroundSyncServiceOptions,
  'scheduler' | 'deviceState'
> {
  /** Needed for a service without a backend only. @defaultValue the backend's */
  readonly runtime?: Runtime;
  /**
   * Show the pending count on the icon of the installed app.
   *
   * @defaultValue `false`
   */
  readonly badge?: boolean;
  /**
   * What tabs and service worker call the database that they share, for taking turns and for hints.
   *
   * @defaultValue the storage's name for it, else `id`
   */
  readonly name?: string;
}

const OPTIONS: Kinds<ServiceWorkerSyncServiceOptions> = {
  backend: BACKEND,
  runtime: RUNTIME,
  id: NAME,
  name: NAME,
  badge: FLAG,
  onPendingCount: FUNCTION,
  platformRuns: FUNCTION,
};

/** @throws UsageError `usage/invalid-argument`, naming the option */
export function requireWebOptions(options: Partial<ServiceWorkerSyncServiceOptions>): void {
  requireOptions('background sync in a page', options, OPTIONS);
}

/** What ends by itself, and is worth a wake-up then. */
const HELD_UP: ReadonlySet<string | undefined> = new Set(['offline', 'gate']);
/** A server that fails now and then would have the worker started all the time. */
const HELD_UP_AGAIN_MS = 60_000;

/** What the service worker cannot check, because only pages are told. */
const PAGE_ONLY = ['requiresCharging', 'requiresBatteryNotLow'] as const;

/**
 * Background sync in a page. While it is open it sends by itself: on start, when the network returns, when
 * people return to it, and by timers. For the time after, it registers Background Sync and Periodic
 * Background Sync where the browser has them and grants them, and the service worker
 * (`nexus-store/web/worker`) does what is left. Tabs and worker share one queue and take turns.
 */
export class ServiceWorkerSyncService extends BackgroundSyncService {
  readonly #browser: Browser;
  readonly #backend: StoreBackend | undefined;
  readonly #device: WebDeviceState;
  readonly #web: WebScheduler;
  readonly #sync: BrowserSync;
  readonly #link: BrowserLink | undefined;
  readonly #id: string;
  readonly #ends: (() => void)[] = [];
  #isStarted = false;
  #isWanted = false;
  /** The browser was asked since the network went, or since people looked at the page. */
  #isAsked = false;
  /** The browser was asked because the server could not be reached, and it could not since then. */
  #isAskedHeldUp = false;
  /** Monotonic milliseconds: when that was. */
  #heldUpAt = -Infinity;

  /** @throws UsageError `usage/invalid-argument`, naming the option */
  constructor(options: ServiceWorkerSyncServiceOptions, browser: Browser = thisBrowser()) {
    requireWebOptions(options);
    const { backend, badge = false, id = 'nexus-store.sync', name } = options;
    const runtime = options.runtime ?? backend?.runtime;
    if (runtime === undefined)
      throw new UsageError(
        'usage/invalid-argument',
        'ServiceWorkerSyncService needs a backend or a runtime',
      );
    const deviceState = new WebDeviceState(browser);
    const ownTags = Object.values(requestIds(id));
    const sync = new BrowserSync(runtime, browser.navigator.serviceWorker?.ready, ownTags);
    const scheduler = new WebScheduler({
      clock: runtime.clock,
      timers: new TimerScheduler(runtime, { deviceState }),
      browser: sync,
      mayBeConnected: () => deviceState.mayBeConnected,
    });
    const showCount = (count: number): Promise<void> => showBadge(browser.navigator, count);
    super(runtime, {
      ...(badge ? { onPendingCount: showCount } : {}),
      ...options,
      scheduler,
      deviceState,
    });
    this.#browser = browser;
    this.#backend = backend;
    this.#device = deviceState;
    this.#web = scheduler;
    this.#sync = sync;
    this.#id = id;
    if (backend === undefined) return;
    // Now, and not in `initialize`: the backend begins to send as soon as it is open.
    this.#link = new BrowserLink(runtime, browser, backend, name ?? backend.databaseName ?? id);
    backend.linkWith(this.#link);
    this.#listenWhileSeen(backend);
  }

  /** What the browser does for this app while no page of it is open, as far as it was asked. */
  get support(): Live<BrowserSupport> {
    return this.#sync.support;
  }

  override async initialize(
    config: BackgroundSyncConfig | BackgroundSyncConfigOptions = {},
  ): Promise<ScheduleOutcome> {
    if (!this.#isStarted) {
      this.#isStarted = true;
      this.#start();
    }
    const outcome = await super.initialize(config);
    return { ...outcome, weakened: [...outcome.weakened, ...this.#weakenedInWorker(outcome)] };
  }

  override scheduleSync(): Promise<ScheduleOutcome> {
    this.#isWanted = true;
    if (this.#isStarted && this.#backend !== undefined) this.#onStatus(this.#backend);
    return super.scheduleSync();
  }

  override cancelSync(): Promise<void> {
    this.#isWanted = false;
    return super.cancelSync();
  }

  /** Stops timers and listening. What waits stays in the queue, and requests stay with the browser. */
  override async dispose(): Promise<void> {
    for (const end of this.#ends.splice(0)) end();
    this.#web.dispose();
    await super.dispose();
    this.#link?.close();
    this.#sync.close();
  }

  #start(): void {
    const backend = this.#backend;
    if (backend === undefined) return;
    const { scope, document } = this.#browser;
    const onGoing = (): void => this.#onGoing(backend, false);
    const onEnd = (): void => this.#onGoing(backend, true);
    const onVisibility = (): void => {
      if (document?.visibilityState === 'hidden') onGoing();
      else this.#isAsked = false;
    };
    scope.addEventListener('pagehide', onEnd);
    document?.addEventListener('freeze', onGoing);
    document?.addEventListener('visibilitychange', onVisibility);
    this.#ends.push(
      () => scope.removeEventListener('pagehide', onEnd),
      () => document?.removeEventListener('freeze', onGoing),
      () => document?.removeEventListener('visibilitychange', onVisibility),
      backend.on(({ type }) => {
        if (type === 'entry-enqueued') this.#onEnqueued();
        // The server can be reached: should it be lost again, that is another story.
        else if (type === 'entry-applied') this.#isAskedHeldUp = false;
      }),
      backend.status.subscribe(() => this.#onStatus(backend)),
      this.#device.onChange(() => this.#onDeviceChange(backend)),
    );
  }

  /** Without a network the tab may be gone when it returns: the browser is asked at the first write. */
  #onEnqueued(): void {
    if (this.#isAsked || !this.#isWanted || this.#device.mayBeConnected) return;
    this.#isAsked = true;
    void this.#sync.once(requestIds(this.#id).soon);
  }

  /**
   * With a network and without a way to the server it is the same: what waits may wait for hours, and a page
   * that is killed has no last moment in which to ask.
   */
  #onStatus(backend: StoreBackend): void {
    const { current } = backend.status;
    const now = backend.runtime.clock.elapsed();
    if (pendingTotal(current) === 0) this.#isAskedHeldUp = false;
    else if (HELD_UP.has(current.blockedBy?.reason) && now - this.#heldUpAt >= HELD_UP_AGAIN_MS) {
      if (this.#isAsked || this.#isAskedHeldUp || !this.#isWanted) return;
      this.#isAskedHeldUp = true;
      this.#heldUpAt = now;
      void this.#sync.once(requestIds(this.#id).soon);
    }
  }

  /** The network may be back: what failed for want of one is tried without its delay. */
  #onDeviceChange(backend: StoreBackend): void {
    if (!this.#device.mayBeConnected) return;
    this.#isAsked = false;
    if (backend.status.current.blockedBy?.reason === 'offline') backend.wake();
  }

  /**
   * Perhaps the last moment of this page: what waits is handed to the service worker.
   *
   * @param isEnd the page is taken down: then the browser may lose a request, and a message goes beside it
   */
  #onGoing(backend: StoreBackend, isEnd: boolean): void {
    if (!this.#isWanted || backend.pendingChangesCount.current === 0) return;
    const request: DrainRequest = { type: 'nexus-store:drain', id: this.#id };
    const { backgroundSync } = this.#sync.support.current;
    const hasEvents = backgroundSync !== 'absent' && backgroundSync !== 'refused';
    // Without a network the worker could do no more than the page.
    if (this.#device.mayBeConnected && (isEnd || !hasEvents)) this.#sync.tell(request);
    // A tab that is closed is gone, and then hidden: that is one request.
    if (!hasEvents || this.#isAsked) return;
    this.#isAsked = true;
    void this.#sync.once(requestIds(this.#id).soon).then((isTaken) => {
      if (!isTaken && !isEnd) this.#sync.tell(request);
    });
  }

  /** Nobody sees what the server hints at while the tab is hidden, and a browser has few connections. */
  #listenWhileSeen(backend: StoreBackend): void {
    const { document } = this.#browser;
    if (document === undefined) return;
    const follow = (): void => backend.mayListen(document.visibilityState === 'visible');
    document.addEventListener('visibilitychange', follow);
    this.#ends.push(() => document.removeEventListener('visibilitychange', follow));
    follow();
  }

  /** What is kept while a page is open, and not when the service worker runs without one. */
  #weakenedInWorker({ weakened }: ScheduleOutcome): readonly WeakenedField[] {
    const { backgroundSync } = this.#sync.support.current;
    const { config } = this;
    if (config?.enabled !== true || backgroundSync === 'absent' || backgroundSync === 'refused')
      return [];
    const named = new Set(weakened.map(({ field }) => field));
    return PAGE_ONLY.filter((field) => config[field] && !named.has(field)).map((field) => ({
      field,
      asked: true,
      got: 'only while a page is open',
    }));
  }
}
