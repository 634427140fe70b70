import {
  bundleForBrowser,
  launchBrowser,
  scriptIn,
  startSite,
  type RunningBrowser,
  type Site,
} from 'browser-harness';
import { describeInChromium } from 'browser-harness/vitest';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

type InspectorPage = typeof import('./inspector.page.ts');

describeInChromium('the inspector', () => {
  let site: Site;
  let browser: RunningBrowser;

  beforeAll(async () => {
    site = await startSite({
      scripts: { '/page.js': new URL('./inspector.page.ts', import.meta.url) },
    });
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  async function openPage(width = 1280) {
    const page = await browser.open(site.pageUrl('/page.js'));
    await page.setViewportSize({ width, height: 900 });
    return { page, app: scriptIn<InspectorPage>(page, '/page.js') };
  }

  test('shows entries fail, be retried and die, and sends them by a click', async () => {
    const { page, app } = await openPage();
    site.sync.intercept = (request) =>
      new URL(request.url).pathname.endsWith('/push')
        ? new Response('no', { status: 500 })
        : undefined;
    await app.openLive(site.syncUrl);
    await app.save('n1', 'first');
    await app.save('n2', 'second');
    const letters = page.getByRole('list', { name: 'Dead letters' }).getByRole('listitem');
    const events = page.getByRole('list', { name: /What happened/ });

    await events.getByText('Failed, will be retried').first().waitFor();
    await letters.nth(1).waitFor();
    const failures = await letters.allInnerTexts();
    site.sync.intercept = undefined;
    await page.getByRole('button', { name: 'Retry e1' }).click();
    await site.sync.until(async (server) => (await server.arrivals()).length === 1);
    await letters.nth(1).waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Discard e2' }).click();
    await page.getByRole('button', { name: 'Discard for good: e2' }).click();
    await page.getByRole('heading', { name: 'All synced' }).waitFor();
    const arrivals = await site.sync.arrivals();
    await app.close();

    for (const failure of failures) expect(failure).toMatch(/3 attempts/);
    expect(arrivals).toMatchObject([{ collection: 'notes', entryId: 'e1', operation: 'create' }]);
  });

  test('switches the network off, slow and on again', async () => {
    const { page, app } = await openPage();
    await app.openLive(site.syncUrl);
    const pushes = site.sync.pushes.length;

    await page.getByRole('radio', { name: 'Offline' }).check();
    await app.save('off-1', 'written offline');
    await page.getByRole('button', { name: 'Sync now' }).click();
    await page.getByRole('heading', { name: 'Offline' }).waitFor();
    const before = (await site.sync.arrivals()).length;
    const offline = site.sync.pushes.length;
    await page.getByRole('radio', { name: 'Slow' }).check();
    await page.getByRole('radio', { name: 'Online' }).check();
    await site.sync.until(async (server) => (await server.arrivals()).length > before);
    await page.getByRole('heading', { name: 'All synced' }).waitFor();
    const after = (await site.sync.arrivals()).length;
    await app.close();

    expect(offline).toBe(pushes);
    expect(after).toBe(before + 1);
  });

  test('says that its switch is of this tab only, and that a pause is of all', async () => {
    const { page, app } = await openPage();
    await app.openLive(site.syncUrl);

    await page.getByRole('radio', { name: 'Offline' }).check();
    const notice = await page.getByText(/switched off by hand/).innerText();
    await page.getByRole('radio', { name: 'Online' }).check();
    await page.getByText(/switched off by hand/).waitFor({ state: 'detached' });
    await app.close();

    expect(notice).toMatch(/in this tab only .* A service worker .* Pause/);
  });

  test('a switch that is shared holds the service worker back, and outlives a reload', async () => {
    const worker = '/switched-worker.js';
    site.put(worker, {
      type: 'text/javascript',
      body: await bundleForBrowser(new URL('./switched-worker.page.ts', import.meta.url), {
        format: 'iife',
      }),
    });
    const { page, app } = await openPage();
    await app.openBesideWorker(worker);
    await page.getByRole('radio', { name: 'Offline' }).check();
    await app.save('shared', 'written offline');
    const pushes = site.sync.pushes.length;

    const offline = await app.syncInWorker();
    await page.reload();
    await app.openBesideWorker(worker);
    await page.getByRole('radio', { name: 'Offline', checked: true }).waitFor();
    const notice = await page.getByText(/switched off by hand/).innerText();
    const still = await app.syncInWorker();
    const meanwhile = site.sync.pushes.length;
    await page.getByRole('radio', { name: 'Online' }).check();
    await expect.poll(() => app.syncInWorker()).toBe('drained');
    await app.close();

    expect([offline, still, meanwhile]).toEqual(['offline', 'offline', pushes]);
    expect(notice).toMatch(/in the service worker, until it is switched back/);
    expect(site.sync.pushes.length).toBeGreaterThan(pushes);
  });

  test('shows what is chosen where people have colours of their own', async () => {
    const { page, app } = await openPage(390);
    await page.emulateMedia({ forcedColors: 'active' });
    await app.openDay('light');
    const looks = async (selector: string): Promise<readonly string[]> =>
      page.evaluate(`[...document.querySelector('div').shadowRoot.querySelectorAll('${selector}')]
        .map((node) => getComputedStyle(node).backgroundColor)`);

    const switches = await looks('.switch span');
    const tabs = await looks('.tabs button');
    const swatches = new Set(await looks('.numbers .swatch'));
    await page.emulateMedia({ forcedColors: 'none' });
    await app.close();

    expect([new Set(switches).size, switches[0]]).toEqual([2, tabs[0]]);
    expect(new Set(tabs).size).toBe(2);
    expect(swatches.size).toBeGreaterThan(1);
  });

  test('looks the same under a policy that allows no inline styles', async () => {
    const path = '/strict.html';
    site.put(path, {
      type: 'text/html',
      body: '<!doctype html><html lang="en"><title>strict</title><body></body>',
      headers: { 'content-security-policy': "style-src 'none'" },
    });
    const page = await browser.open(`${site.origin}${path}`);
    const app = scriptIn<InspectorPage>(page, '/page.js');
    await app.openDay('dark');

    const look = await page.evaluate(`(() => {
      const root = document.querySelector('div').shadowRoot;
      const { backgroundColor } = getComputedStyle(root.querySelector('.inspector'));
      const [first] = root.querySelectorAll('.stack i');
      return { backgroundColor, isShown: first.getBoundingClientRect().width > 0 };
    })()`);
    await app.close();

    expect(look).toEqual({ backgroundColor: 'rgb(18, 19, 22)', isShown: true });
  });

  test('is used with the keyboard alone, and a button that leaves hands its focus on', async () => {
    const { page, app } = await openPage();
    await app.openDay('light');
    const row = page.locator('summary', { hasText: 'crane-4' });

    await row.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('list', { name: 'Lane of reports/crane-4, in order' }).waitFor();
    const lane = await page.getByRole('list', { name: /Lane of/ }).innerText();
    await page.getByRole('button', { name: 'Retry e', exact: false }).first().focus();
    await page.keyboard.press('Enter');
    await page
      .getByText(/will be sent again|queued behind/)
      .first()
      .waitFor();
    await page.waitForFunction(
      'document.querySelector("div").shadowRoot.querySelectorAll(".row[data-state=dead]").length === 1',
    );
    const focused = await page.evaluate(
      'document.querySelector("div").shadowRoot.activeElement?.textContent',
    );
    await app.close();

    expect(lane).toMatch(/waits behind the head of its lane/);
    expect(focused).toBe('Dead letters');
  });

  test('copies a report without payloads, unless asked', async () => {
    const { page, app } = await openPage();
    await browser.context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await app.openDay('light');
    const copy = async (kind: 'with' | 'without'): Promise<string> => {
      await page.getByRole('button', { name: 'Copy report' }).click();
      await page.getByText(`Copied as JSON, ${kind} payloads.`).waitFor();
      return page.evaluate('navigator.clipboard.readText()');
    };

    const plain = await copy('without');
    await page.getByRole('checkbox', { name: 'with payloads' }).check();
    const whole = await copy('with');
    await app.close();

    expect(JSON.parse(plain)).toMatchObject({ payloads: 'left out', status: { dead: 2 } });
    expect(plain).not.toMatch(/Seepage|licence/);
    expect(whole).toMatch(/Bolt missing/);
    expect(whole).toMatch(/inspector licence expired/);
  });

  test.each([
    ['light', 390],
    ['light', 1440],
    ['dark', 390],
    ['dark', 1440],
  ] as const)('has no serious accessibility issue: %s, %i pixels', async (theme, width) => {
    const { page, app } = await openPage(width);
    await app.openDay(theme);
    const found: string[] = [];
    const look = async (): Promise<void> => void found.push(...(await app.seriousIssues()));

    await look();
    await page.locator('summary:visible').first().click();
    await look();
    for (const name of width === 390 ? ['Activity', 'Wake-ups', 'Dead'] : []) {
      await page.getByRole('navigation').getByRole('button', { name }).click();
      await look();
    }
    await page
      .getByRole('button', { name: /^Discard e/ })
      .first()
      .click();
    await look();
    const isCut = await hasSidewaysScroll(page);
    await app.close();

    expect(found).toEqual([]);
    expect(isCut).toBe(false);
  });

  test('is as small with 100,000 entries waiting as with 100, and holds the page no longer', async () => {
    const few = await openPage();
    const small = await few.app.openHuge(100);
    await few.app.close();
    const many = await openPage();
    const large = await many.app.openHuge(100_000);
    await many.app.close();

    expect(large.elements).toBe(small.elements);
    // A machine under load stalls by itself: what counts is what the inspector adds.
    expect(large.besideMs - large.aloneMs).toBeLessThan(1_000);
  });

  test('left nothing in the console', () => {
    const own = browser.complaints.filter((text) => !/Failed to load resource/.test(text));
    expect(own).toEqual([]);
  });
});

/** Something is wider than the screen. */
async function hasSidewaysScroll(page: Page): Promise<boolean> {
  return page.evaluate(
    'document.querySelector("div").shadowRoot.querySelector(".inspector").scrollWidth > innerWidth',
  );
}
