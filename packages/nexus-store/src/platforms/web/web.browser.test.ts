import {
  bundleForBrowser,
  createProfile,
  launchBrowser,
  scriptIn,
  startSite,
  type RunningBrowser,
  type ScriptFunctions,
  type Site,
  type SyncServer,
} from 'browser-harness';
import { describeInChromium, hasChromium } from 'browser-harness/vitest';
import type { CDPSession, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

type PageExports = typeof import('./field-app.page.ts');
type App = ScriptFunctions<PageExports>;

const KILLS = Number(process.env['NEXUS_BROWSER_KILLS'] ?? 3);
const WORKER = '/worker.js';

let scripts: { page: string; worker: string };
let browser: RunningBrowser;
let site: Site;

beforeAll(async () => {
  if (!hasChromium) return;
  const [page, worker] = await Promise.all([
    bundleForBrowser(new URL('./field-app.page.ts', import.meta.url)),
    bundleForBrowser(new URL('./field-worker.page.ts', import.meta.url), { format: 'iife' }),
  ]);
  scripts = { page, worker };
  browser = await launchBrowser();
});
afterAll(() => browser?.close());
beforeEach(async () => {
  site = await openSite();
});
afterEach(async () => {
  await browser.context.setOffline(false);
  // The last tab stays, or the browser would end.
  await browser.context.newPage();
  for (const page of browser.context.pages().slice(0, -1)) await page.close();
  await site.close();
});

function openSite(): Promise<Site> {
  return startSite({ files: { '/page.js': scripts.page, [WORKER]: scripts.worker } });
}

interface Tab {
  readonly page: Page;
  readonly app: App;
}

interface TabOptions {
  /** Runs before the scripts of the page. */
  readonly init?: string;
  readonly lease?: string;
  readonly own?: RunningBrowser;
}

async function openTab({ init, lease, own = browser }: TabOptions = {}): Promise<Tab> {
  const page = await own.context.newPage();
  if (init !== undefined) await page.addInitScript(init);
  await page.goto(`${site.pageUrl('/page.js')}${lease === undefined ? '' : `&lease=${lease}`}`);
  return { page, app: scriptIn<PageExports>(page, '/page.js') };
}

const hasArrived =
  (count: number) =>
  async (server: SyncServer): Promise<boolean> =>
    (await server.arrivals()).length >= count;

async function idsAt(server: SyncServer): Promise<readonly string[]> {
  return (await server.arrivals()).map(({ entity }) => JSON.parse(entity) as string).toSorted();
}

/** For each entity the steps in the order in which they were applied. */
async function stepsByEntity(server: SyncServer): Promise<ReadonlyMap<string, readonly number[]>> {
  const sent = new Map(
    server.pushes.flatMap(({ operations }) =>
      operations.map(({ idempotencyKey, payload }) => [
        idempotencyKey,
        (payload as { readonly step: number }).step,
      ]),
    ),
  );
  const steps = new Map<string, number[]>();
  for (const { entity, idempotencyKey } of await server.arrivals()) {
    const id = JSON.parse(entity) as string;
    steps.set(id, [...(steps.get(id) ?? []), sent.get(idempotencyKey) ?? Number.NaN]);
  }
  return steps;
}

/** How often operations were sent again. */
function resent(server: SyncServer): number {
  const keys = server.pushes.flatMap(({ operations }) =>
    operations.map(({ idempotencyKey }) => idempotencyKey),
  );
  return keys.length - new Set(keys).size;
}

/** Leaves the browser without any page of the site. */
async function leave({ page }: Tab): Promise<void> {
  await browser.context.newPage();
  await page.close();
}

/** Without sync events, as in Safari. */
const SAFARI = `
  for (const name of ['SyncManager', 'PeriodicSyncManager']) delete globalThis[name];
  for (const name of ['sync', 'periodicSync']) delete ServiceWorkerRegistration.prototype[name];
`;
const FIREFOX = `${SAFARI}
  for (const name of ['getBattery', 'connection', 'setAppBadge', 'clearAppBadge'])
    delete Navigator.prototype[name];
`;
const OLD = `${FIREFOX}
  delete Navigator.prototype.locks;
  delete globalThis.BroadcastChannel;
`;
/** The first two attempts to open the database fail. */
const OPENS_LATER = `
  const { open } = IDBFactory.prototype;
  let failures = 2;
  IDBFactory.prototype.open = function (...args) {
    if (args[0] === 'field' && failures-- > 0) throw new DOMException('slow', 'UnknownError');
    return open.apply(this, args);
  };
`;
/** As in a window of Electron over its own protocol. */
const ELECTRON = 'delete Navigator.prototype.serviceWorker;';

describeInChromium('what was written', () => {
  // Playwright waits for a worker that was stopped, when it is to be told that it is offline.
  afterAll(async () => {
    await browser.kill();
    browser = await launchBrowser();
  });

  test('offline is sent by the browser itself when the network returns, with every tab closed', async () => {
    const tab = await openTab();
    await tab.app.start({ worker: WORKER });
    await browser.context.setOffline(true);
    await tab.app.write(['a', 'b', 'c']);
    await expect.poll(() => tab.app.tags()).toHaveLength(1);
    await leave(tab);

    await browser.context.setOffline(false);
    await site.sync.until(hasArrived(3));

    expect(await idsAt(site.sync)).toEqual(['a', 'b', 'c']);
  });

  test('in a tab that is closed at once is sent by the worker, without the wait of the page', async () => {
    const tab = await openTab();
    await tab.app.start({ worker: WORKER });
    await tab.app.write(['a'], 'low');

    await leave(tab);
    await site.sync.until(hasArrived(1));

    expect(await idsAt(site.sync)).toEqual(['a']);
  });

  test('in a tab that is closed while sending goes on at once: its lease is not waited for', async () => {
    const tab = await openTab({ lease: '5m' });
    await tab.app.start({ worker: `${WORKER}?lease=5m` });
    const held = site.sync.hold();
    await tab.app.write(['a'], 'critical');
    await site.sync.until(({ pushes }) => pushes.length === 1);

    await leave(tab);
    await site.sync.until(({ pushes }) => pushes.length === 2);
    held.release();
    await site.sync.until(hasArrived(1));

    expect(await idsAt(site.sync)).toEqual(['a']);
  });

  test('is sent at a periodic sync event, with no page open', async () => {
    const tab = await openTab();
    await tab.app.writeOnly(['a', 'b'], WORKER);
    const worker = await serviceWorkerOf(tab.page);
    await leave(tab);
    const before = await idsAt(site.sync);

    await worker.fire('dispatchPeriodicSyncEvent', { tag: 'nexus-store.sync' });
    await site.sync.until(hasArrived(2));

    expect([before, await idsAt(site.sync)]).toEqual([[], ['a', 'b']]);
  });

  test('is sent at the last chance too, and by a worker that had been stopped', async () => {
    const tab = await openTab();
    await tab.app.writeOnly(['a'], WORKER);
    const worker = await serviceWorkerOf(tab.page);
    await leave(tab);
    await worker.stop();

    await worker.fire('dispatchSyncEvent', { tag: 'nexus-store.sync.soon', lastChance: true });
    await site.sync.until(hasArrived(1));

    expect(await idsAt(site.sync)).toEqual(['a']);
  });
});

describeInChromium('a page whose database did not open at first', () => {
  test('leaves what is written offline with the browser all the same', async () => {
    const { page, app } = await openTab({ init: OPENS_LATER });
    await expect(app.start({ worker: WORKER })).rejects.toThrow('slow');
    await browser.context.setOffline(true);

    await app.write(['a'], 'critical');
    await expect.poll(() => app.tags()).not.toEqual([]);
    await leave({ page, app });
    await browser.context.setOffline(false);
    await site.sync.until(hasArrived(1));

    expect(await idsAt(site.sync)).toEqual(['a']);
  });
});

describeInChromium('a server that cannot be reached over a network that is there', () => {
  test('leaves what waits with the browser while the page is seen, for the case that it is killed', async () => {
    const profile = await createProfile();
    site.sync.cut = 'before';
    const own = await launchBrowser({ profile: profile.path });
    const { app } = await openTab({ own });
    await app.start({ worker: WORKER });
    const before = await app.tags();

    await app.write(['a'], 'critical');
    // By the policy alone it would be after a minute.
    await expect.poll(() => app.tags(), { timeout: 20_000 }).toHaveLength(1);
    await own.kill();
    const next = await launchBrowser({ profile: profile.path });
    const later = await openTab({ own: next });
    const after = await later.app.tags();
    await next.close();
    await profile.remove();
    site.sync.cut = 'never';

    expect(before).toEqual([]);
    expect(after).toEqual([expect.stringMatching(/^nexus-store\.sync\.soon#\d$/)]);
  });
});

describeInChromium('a browser that is killed while it sends', () => {
  test(
    `${KILLS} times, goes on when it is started again: nothing lost, nothing twice, all in order`,
    async () => {
      const profile = await createProfile();
      const saved = new Map<string, number>();
      site.sync.delayMs = 15;
      for (let kill = 0; kill < KILLS; kill += 1) {
        const own = await launchBrowser({ profile: profile.path });
        await own.context.exposeFunction('saved', (id: string, step: number) =>
          saved.set(id, step),
        );
        const { app } = await openTab({ own });
        await app.start({ worker: WORKER });
        const before = (await site.sync.arrivals()).length;
        const writing = app.writeMany(`round-${kill}`, 40, 10).catch(() => {});
        await app.syncSoon();
        await site.sync.until(hasArrived(before + 150));

        await own.kill();
        await writing;
      }
      site.sync.delayMs = 0;
      const own = await launchBrowser({ profile: profile.path });
      const { app } = await openTab({ own });
      await app.start({ worker: WORKER });
      await app.syncSoon();
      await expect.poll(() => app.pendingCount(), { timeout: 60_000 }).toBe(0);
      await own.close();
      await profile.remove();

      const steps = await stepsByEntity(site.sync);
      const lost = [...saved].filter(([id, step]) => steps.get(id)?.includes(step) !== true);
      expect(lost).toEqual([]);
      for (const [id, arrived] of steps)
        expect([id, arrived]).toEqual([id, arrived.map((_, index) => index + 1)]);
      expect(saved.size).toBe(40 * KILLS);
    },
    60_000 + KILLS * 20_000,
  );
});

describeInChromium(
  'a browser that was killed while it sent, and is started again without the app',
  () => {
    test('sends the rest by itself', async () => {
      const profile = await createProfile();
      const own = await launchBrowser({ profile: profile.path });
      const { app, page } = await openTab({ own });
      await app.start({ worker: WORKER });
      await own.context.setOffline(true);
      await app.writeMany('note', 200, 10);
      await expect.poll(() => app.tags()).not.toEqual([]);
      await own.context.newPage();
      await page.close();
      site.sync.delayMs = 100;
      await own.context.setOffline(false);
      await site.sync.until(hasArrived(300));

      await own.kill();
      const before = (await site.sync.arrivals()).length;
      site.sync.delayMs = 0;
      const next = await launchBrowser({ profile: profile.path });
      await site.sync.until(hasArrived(2_000));
      const open = next.context.pages().map((page) => page.url());
      await next.close();
      await profile.remove();

      const inOrder = Array.from({ length: 10 }, (_, index) => index + 1);
      const steps = await stepsByEntity(site.sync);
      expect(before).toBeLessThan(2_000);
      expect(open.filter((url) => url.startsWith(site.origin))).toEqual([]);
      expect(await site.sync.arrivals()).toHaveLength(2_000);
      expect([...steps.values()].filter((one) => one.join() !== inOrder.join())).toEqual([]);
    }, 120_000);
  },
);

/** Requests that one drain has under way at most. */
const IN_FLIGHT = 4;

describeInChromium('six tabs and the worker', () => {
  test('write 5,000 entries at once, the sending tab is frozen, another one crashes: each arrives once, in order', async () => {
    // Of their own: a browser does not get over what is done to this one. A process for each tab, too.
    const own = await launchBrowser({ args: ['--renderer-process-limit=40'] });
    const tabs: Tab[] = [];
    for (let n = 0; n < 6; n += 1) {
      const tab = await openTab({ own });
      await tab.app.start({ worker: WORKER });
      tabs.push(tab);
    }
    const processes = new Map<Tab, number>();
    for (const tab of tabs) processes.set(tab, await processOf(own, tab));
    expect(new Set(processes.values()).size).toBe(6);
    site.sync.delayMs = 25;
    const [first] = tabs as [Tab];
    await Promise.all([
      ...tabs.map(({ app }, n) => app.writeMany(`tab-${n}`, 70, 10)),
      first.app.writeInWorker('worker', 80, 10),
    ]);
    await Promise.all(tabs.map(({ app }) => app.syncSoon()));
    const frozen = await sendingTab(tabs);

    const others = tabs.filter((tab) => tab !== frozen);
    const before = site.sync.pushes.length;
    const held = site.sync.hold();
    await site.sync.until(({ pushes }) => pushes.length >= before + IN_FLIGHT);
    const pid = processes.get(frozen) as number;
    process.kill(pid, 'SIGSTOP');
    // A browser freezes no tab in a transaction that others wait for.
    while (!(await (others[0] as Tab).app.canWrite())) {
      process.kill(pid, 'SIGCONT');
      await frozen.app.canWrite();
      process.kill(pid, 'SIGSTOP');
    }
    held.release();
    await site.sync.until(({ pushes }) => pushes.every(({ status }) => status !== undefined));
    const early = (await site.sync.arrivals()).length;
    await site.sync.until(hasArrived(early + 300));
    // The worker may be the one that goes on: a tab that is frozen hands over to it.
    const sending = await Promise.all(others.map(({ app }) => app.isPushing()));
    const crashed = others[Math.max(0, sending.indexOf(true))] as Tab;
    await crash(own, crashed.page);
    await site.sync.until(hasArrived(Math.max(2_500, early + 600)));
    process.kill(pid, 'SIGCONT');
    await site.sync.until(hasArrived(5_000));
    const rest = tabs.filter((tab) => tab !== crashed);
    for (const { app } of rest) await expect.poll(() => app.pendingCount()).toBe(0);
    await own.kill();

    const steps = await stepsByEntity(site.sync);
    const inOrder = Array.from({ length: 10 }, (_, index) => index + 1);
    expect(await site.sync.arrivals()).toHaveLength(5_000);
    expect([...steps.values()].filter((one) => one.join() !== inOrder.join())).toEqual([]);
    expect(steps.size).toBe(500);
    // What two tabs had under way when they were stopped, and nothing else, was sent again.
    expect(resent(site.sync)).toBeLessThanOrEqual(2 * 5 * 50);
  }, 120_000);

  test('see what one of them writes', async () => {
    const [a, b] = [await openTab(), await openTab()];
    await a.app.start();
    await b.app.start();

    const seen = b.app.seeStep('x', 1);
    await a.app.write(['x'], 'low');

    await seen;
  });
});

describeInChromium('a tab under which the data of the site is cleared', () => {
  test('shows that it is empty when people return to it, and goes on working', async () => {
    const { app, page } = await openTab();
    await app.start({ worker: WORKER });
    site.sync.cut = 'before';
    await app.showNotes();
    await app.write(['a'], 'low');
    await expect.poll(() => app.shownIds()).toEqual(['a']);

    const session = await browser.debug(page);
    await session.send('Storage.clearDataForOrigin', {
      origin: site.origin,
      storageTypes: 'indexeddb',
    });
    await show(page, false);
    await show(page, true);
    await expect.poll(() => app.shownIds()).toEqual([]);
    site.sync.cut = 'never';
    await app.write(['b'], 'critical');
    await site.sync.until(hasArrived(1));

    expect(await idsAt(site.sync)).toEqual(['b']);
    expect(await app.shownIds()).toEqual(['b']);
  });
});

describeInChromium('a browser without sync events', () => {
  for (const [name, init] of Object.entries({ Safari: SAFARI, Firefox: FIREFOX, old: OLD })) {
    test(`(${name}) sends on start, when the network returns, and on return to the page`, async () => {
      const first = await openTab({ init });
      await first.app.writeOnly(['start']);
      await leave(first);

      const { app, page } = await openTab({ init });
      await app.start({ worker: WORKER });
      await site.sync.until(hasArrived(1));
      await browser.context.setOffline(true);
      await app.write(['online'], 'critical');
      await browser.context.setOffline(false);
      await site.sync.until(hasArrived(2));
      site.sync.cut = 'before';
      await show(page, false);
      await app.write(['return'], 'critical');
      await expect.poll(() => app.sync()).toBe('offline');
      site.sync.cut = 'never';
      await show(page, true);
      await site.sync.until(hasArrived(3));

      expect(await app.support()).toEqual({ backgroundSync: 'absent', periodicSync: 'absent' });
      expect(await idsAt(site.sync)).toEqual(['online', 'return', 'start']);
    });
  }

  test('hands over to its worker by a message when the page is closed', async () => {
    const tab = await openTab({ init: SAFARI });
    await tab.app.start({ worker: WORKER });
    await tab.app.write(['a'], 'low');

    await leave(tab);
    await site.sync.until(hasArrived(1));

    expect(await idsAt(site.sync)).toEqual(['a']);
  });

  test('and without service workers, as in Electron, sends all the same', async () => {
    const { app } = await openTab({ init: ELECTRON });
    await app.start({ worker: WORKER });

    await app.write(['a'], 'critical');
    await site.sync.until(hasArrived(1));

    expect(await app.support()).toEqual({ backgroundSync: 'absent', periodicSync: 'absent' });
  });
});

describeInChromium('beside the queue of Workbox', () => {
  test('each hears its own sync events', async () => {
    const posts: string[] = [];
    site.sync.intercept = (request) => {
      if (!request.url.endsWith('/posts')) return undefined;
      posts.push(request.method);
      return new Response('ok');
    };
    const { page, app } = await openTab();
    await app.start({ worker: WORKER });
    await browser.context.setOffline(true);
    await app.write(['a']);
    await page.evaluate(async (url) => {
      const { active } = await navigator.serviceWorker.ready;
      const channel = new MessageChannel();
      const done = new Promise((resolve) => (channel.port1.onmessage = resolve));
      active?.postMessage({ type: 'queue', url }, [channel.port2]);
      await done;
    }, `${site.syncUrl}/posts`);
    await expect.poll(() => app.tags()).toHaveLength(2);
    expect(await app.tags()).toContain('workbox-background-sync:posts');

    await browser.context.setOffline(false);
    await site.sync.until(hasArrived(1));

    await expect.poll(() => posts).toEqual(['POST']);
    expect(await idsAt(site.sync)).toEqual(['a']);
  });
});

/** The one whose turn it is, as soon as there is one. */
async function sendingTab(tabs: readonly Tab[]): Promise<Tab> {
  let found: Tab | undefined;
  await expect
    .poll(
      async () => {
        const sending = await Promise.all(tabs.map(({ app }) => app.isPushing()));
        found = tabs[sending.indexOf(true)];
        return found !== undefined;
      },
      { timeout: 30_000, interval: 20 },
    )
    .toBe(true);
  return found as Tab;
}

/** The process of a tab: the one that works when the tab does. */
async function processOf(own: RunningBrowser, { page }: Tab): Promise<number> {
  const session = await own.debug();
  const spent = async (): Promise<ReadonlyMap<number, number>> => {
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    const renderers = processInfo.filter(({ type }) => type === 'renderer');
    return new Map(renderers.map(({ id, cpuTime }) => [id, cpuTime]));
  };
  const before = await spent();
  await page.evaluate('for (const end = performance.now() + 400; performance.now() < end; );');
  const after = await spent();
  await session.detach();
  const worked = [...after].map(([id, time]) => [id, time - (before.get(id) ?? 0)] as const);
  const [most] = worked.toSorted(([, a], [, b]) => b - a);
  return (most as readonly [number, number])[0];
}

/** Ends the process of a page as a crash does. */
async function crash(own: RunningBrowser, page: Page): Promise<void> {
  const crashed = page.waitForEvent('crash');
  const session = await own.debug(page);
  // Never answered: there is nobody left to do so.
  session.send('Page.crash').catch(() => {});
  await crashed;
}

/** Chromium without a window calls every page visible: the page is told otherwise, as by a browser. */
async function show(page: Page, isVisible: boolean): Promise<void> {
  await page.evaluate(
    (state) => {
      Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    },
    isVisible ? 'visible' : 'hidden',
  );
}

interface DebuggedWorker {
  fire(
    method: 'dispatchSyncEvent' | 'dispatchPeriodicSyncEvent',
    event: { readonly tag: string; readonly lastChance?: boolean },
  ): Promise<void>;
  stop(): Promise<void>;
}

/** The worker of a page's site, to which the browser can be made to send events. */
async function serviceWorkerOf(page: Page): Promise<DebuggedWorker> {
  const { origin } = site;
  const session = await browser.debug(page);
  const registered = new Promise<string>((resolve) => {
    session.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
      const own = registrations.find(({ scopeURL }) => scopeURL.startsWith(origin));
      if (own !== undefined) resolve(own.registrationId);
    });
  });
  await session.send('ServiceWorker.enable');
  const registrationId = await registered;
  const fresh = async (): Promise<CDPSession> => {
    // The page may be closed by now; any other one will do.
    const debugging = await browser.debug(await browser.context.newPage());
    await debugging.send('ServiceWorker.enable');
    return debugging;
  };
  return {
    fire: async (method, event) => {
      const debugging = await fresh();
      const target = { origin, registrationId, ...event };
      if (method === 'dispatchPeriodicSyncEvent')
        await debugging.send('ServiceWorker.dispatchPeriodicSyncEvent', target);
      else
        await debugging.send('ServiceWorker.dispatchSyncEvent', {
          lastChance: false,
          ...target,
        });
    },
    stop: async () => {
      const debugging = await fresh();
      await debugging.send('ServiceWorker.stopAllWorkers');
    },
  };
}
