import { BackgroundSyncService } from '../../../core/background/background-sync-service.ts';
import type { BackgroundSyncTask } from '../../../core/background/background-sync-task.ts';
import {
  FLAG,
  FUNCTION,
  LIST,
  NAME,
  requireKind,
  requireOptions,
  type Kinds,
} from '../../../core/model/arguments.ts';
import { BACKEND } from '../../../core/ports/kinds.ts';
import { requestIds } from '../../../core/background/wake-up-policy.ts';
import type { StoreBackend } from '../../../core/store/store-backend.ts';
import { showBadge } from '../app-badge.ts';
import { BrowserLink } from '../browser-link.ts';
import { BrowserSync, requestOfTag } from '../browser-sync.ts';
import { thisBrowser, type Browser } from '../browser.ts';
import { isDrainRequest } from '../drain-request.ts';
import { WebDeviceState } from '../web-device-state.ts';
import type { HoldingEvent, ServiceWorkerScope } from './service-worker-scope.ts';
import { WorkerScheduler, type BrowserEvent } from './worker-scheduler.ts';

export interface WorkerSyncOptions {
  /** The backend to sync, with the same storage as in the pages. Called at the first event that needs it. */
  readonly open: () => StoreBackend | Promise<StoreBackend>;
  /**
   * The id of the service in the pages.
   *
   * @defaultValue `'nexus-store.sync'`
   */
  readonly id?: string;
  /** More work for every run. */
  readonly tasks?: readonly BackgroundSyncTask[];
  /**
   * Show the pending count on the icon of the installed app.
   *
   * @defaultValue `false`
   */
  readonly badge?: boolean;
  /** What pages call the database, if they say. @defaultValue the storage's name for it, else `id` */
  readonly name?: string;
}

const OPTIONS: Kinds<WorkerSyncOptions> = {
  open: FUNCTION,
  id: NAME,
  tasks: LIST,
  badge: FLAG,
  name: NAME,
};

/** Background sync in a service worker. */
export interface WorkerSync {
  /**
   * Opens the backend and prepares it for a worker, if no event has done so yet: it sends in runs only. For
   * a worker that writes too. Rejects with what `open` rejected with; the next call tries again.
   */
  ready(): Promise<BackgroundSyncService>;
}

/** What is made at the first event. */
interface Served {
  readonly backend: StoreBackend;
  readonly service: BackgroundSyncService;
  readonly scheduler: WorkerScheduler;
  readonly sync: BrowserSync;
}

/**
 * Makes the app's service worker sync in the background: it hears the sync events that pages have
 * registered, and only those. Call it at module scope of the worker, because a browser that starts a worker
 * for an event delivers it only to listeners that are there when the script has run. It takes no fetch
 * events and leaves other sync events alone, so it lives beside Workbox or anything else.
 *
 * @throws UsageError `usage/invalid-argument`, naming the option
 */
export function serveBackgroundSync(
  options: WorkerSyncOptions,
  scope: ServiceWorkerScope = globalThis as unknown as ServiceWorkerScope,
  browser: Browser = thisBrowser(),
): WorkerSync {
  requireOptions('serveBackgroundSync', options, OPTIONS);
  requireKind('serveBackgroundSync: open', options.open, FUNCTION);
  const { id = 'nexus-store.sync' } = options;
  const { periodic, soon } = requestIds(id);
  const tags: ReadonlySet<string> = new Set(Object.values(requestIds(id)));
  const serve = once(() => prepare({ ...options, id }, scope, browser));
  const hold = (event: HoldingEvent, asked: BrowserEvent, registered = ''): void => {
    const work = serve().then(async (served) => {
      await served.sync.during(registered, () => handle(served, asked));
      if (options.badge === true) await showPending(served, browser);
    });
    event.waitUntil(work);
  };
  scope.addEventListener('sync', (event) => {
    const { lastChance: isLastChance = false } = event;
    const tag = requestOfTag(event.tag);
    if (tags.has(tag)) hold(event, { tag, kind: 'sync', isLastChance }, event.tag);
  });
  scope.addEventListener('periodicsync', (event) => {
    if (event.tag === periodic)
      hold(event, { tag: periodic, kind: 'periodic', isLastChance: true });
  });
  scope.addEventListener('message', (event) => {
    if (isDrainRequest(event.data, id))
      hold(event, { tag: soon, kind: 'message', isLastChance: true });
  });
  return { ready: async () => (await serve()).service };
}

async function prepare(
  options: WorkerSyncOptions & { readonly id: string },
  scope: ServiceWorkerScope,
  browser: Browser,
): Promise<Served> {
  const { id, name, tasks = [] } = options;
  const backend = await options.open();
  requireKind('what open gives', backend, BACKEND);
  const { runtime } = backend;
  backend.beHeadless();
  backend.linkWith(new BrowserLink(runtime, browser, backend, name ?? backend.databaseName ?? id));
  const ids = requestIds(id);
  const sync = new BrowserSync(runtime, Promise.resolve(scope.registration), Object.values(ids));
  const deviceState = new WebDeviceState(browser);
  const scheduler = new WorkerScheduler(runtime, deviceState, sync, ids.soon);
  const service = new BackgroundSyncService(runtime, { backend, scheduler, deviceState, id });
  for (const task of tasks) service.registerTask(task);
  return { backend, service, scheduler, sync };
}

function handle({ backend, scheduler }: Served, event: BrowserEvent): Promise<void> {
  return scheduler.handle(event, async () => (await backend.queueFacts()).nextAttemptAt);
}

async function showPending({ backend }: Served, { navigator }: Browser): Promise<void> {
  // Some systems have no badges, and say so only when they are asked for one.
  await showBadge(navigator, backend.pendingChangesCount.current).catch(() => {});
}

/** Calls it once; again after it failed. */
function once<T>(call: () => Promise<T>): () => Promise<T> {
  let called: Promise<T> | undefined;
  return () => {
    called ??= call().catch((error: unknown) => {
      called = undefined;
      throw error;
    });
    return called;
  };
}
