import { launchBrowser, scriptIn, startSite } from 'browser-harness';
import type { RunningBrowser, ScriptFunctions, Site } from 'browser-harness';
import { describeInChromium } from 'browser-harness/vitest';
import { afterAll, beforeAll, expect, test } from 'vitest';

type PageExports = typeof import('./chromium.page.ts');

const PAGE = new URL('./chromium.page.ts', import.meta.url);
const KILOBYTE = 1024;
const MEGABYTE = 1024 * KILOBYTE;

describeInChromium('IndexedDB in Chromium', () => {
  let site: Site;
  let browser: RunningBrowser;
  let databases = 0;
  const newName = (): string => `chromium-${(databases += 1)}`;

  beforeAll(async () => {
    site = await startSite({ scripts: { '/page.js': PAGE } });
    browser = await launchBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  async function openTab(): Promise<ScriptFunctions<PageExports>> {
    return scriptIn<PageExports>(await browser.open(site.pageUrl()), '/page.js');
  }

  test('a full quota rejects saves by code, keeps nothing by halves, and ends with the quota', async () => {
    // A browser of its own: the quota is for all that the site has stored.
    const own = await launchBrowser();
    const tab = await own.open(site.pageUrl());
    const notes = scriptIn<PageExports>(tab, '/page.js');
    const debug = await own.debug(tab);
    const name = newName();
    // Before the first write: Chromium remembers for half a minute how much room there was.
    await debug.send('Storage.overrideQuotaForOrigin', {
      origin: site.origin,
      quotaSize: MEGABYTE,
    });
    expect(await notes.openNotes(name)).toBe('resolved');
    expect(await notes.save('first', KILOBYTE)).toBe('resolved');

    const ids = Array.from({ length: 40 }, (_, i) => `note-${String(i).padStart(2, '0')}`);
    const codes: string[] = [];
    for (const id of ids) codes.push(await notes.save(id, 100 * KILOBYTE));

    const saved = ['first', ...ids.filter((_, i) => codes[i] === 'resolved')].sort();
    expect([...new Set(codes)].sort()).toEqual(['resolved', 'storage/quota-exceeded']);
    expect(await notes.contents()).toEqual({ rows: saved, queued: saved });
    // Reading goes on, and a write that is small enough may.
    await tab.reload();
    expect(await notes.openNotes(name)).toBe('resolved');
    expect(await notes.contents()).toEqual({ rows: saved, queued: saved });

    const together = await notes.saveTogether(
      ids.map((id) => `together-${id}`),
      100 * KILOBYTE,
    );
    expect(together).toContain('storage/quota-exceeded');
    const before = await notes.contents();
    expect(before.queued).toEqual(before.rows);

    await debug.send('Storage.overrideQuotaForOrigin', { origin: site.origin });
    expect(await notes.save('last', 100 * KILOBYTE)).toBe('resolved');
    expect((await notes.contents()).rows).toEqual([...before.rows, 'last'].sort());
    await own.close();
  });

  test('an upgrade waits a bounded time for a tab that hangs, and succeeds once it lets go', async () => {
    const name = newName();
    const [old, fresh] = [await openTab(), await openTab()];
    await old.openDriver(name, 1);
    await old.putText('kept', 'yes');
    await old.hang(name, 1);

    expect(await fresh.openDriver(name, 2)).toBe('storage/busy');

    await old.letGo();
    expect(await fresh.openDriver(name, 2)).toBe('resolved');
    expect(await fresh.texts()).toEqual(['kept']);
    expect(await old.putText('late', 'no')).toBe('storage/version-too-new');
  });

  test('a page that was held up while it opened does not blame another tab', async () => {
    const name = newName();
    const tab = await openTab();
    await tab.openDriver(name, 1);

    expect(await (await openTab()).openDriverHeldUp(name)).toBe('resolved');
  });

  test('a database that the browser clears away under an open tab is made anew', async () => {
    const name = newName();
    const page = await browser.open(site.pageUrl());
    const tab = scriptIn<PageExports>(page, '/page.js');
    await tab.openDriver(name, 1);
    await tab.putText('gone', 'with the rest');
    const debug = await browser.debug(page);

    await debug.send('Storage.clearDataForOrigin', {
      origin: site.origin,
      storageTypes: 'indexeddb',
    });

    expect(await tab.putText('new', 'yes')).toBe('resolved');
    expect(await tab.texts()).toEqual(['new']);
  });

  test('two tabs lose no update, and each notices the commits of the other', async () => {
    const name = newName();
    const [one, two] = [await openTab(), await openTab()];
    await one.openDriver(name, 1);
    await two.openDriver(name, 1);
    const before = [await one.foreignCommits(), await two.foreignCommits()];

    await Promise.all([one.count(50), two.count(50)]);

    expect(await one.counted()).toBe('100');
    const after = [await one.foreignCommits(), await two.foreignCommits()];
    expect(after[0]).not.toBe(before[0]);
    expect(after[1]).not.toBe(before[1]);
    expect(await one.foreignCommits()).toBe(after[0]);
  });

  test('a page without an origin of its own is told by code', async () => {
    site.put('/sandboxed', {
      type: 'text/html',
      headers: { 'content-security-policy': 'sandbox allow-scripts' },
      body: '<!doctype html><title>sandboxed</title><link rel="icon" href="data:,">',
    });
    const tab = scriptIn<PageExports>(
      await browser.open(`${site.origin}/sandboxed`),
      `${site.origin}/page.js`,
    );

    expect(await tab.openDriver(newName(), 1)).toBe('storage/unavailable');
  });

  test('persistence is asked for once in a page, and the answer is reported', async () => {
    const page = await browser.context.newPage();
    await page.addInitScript(() => {
      const prototype = StorageManager.prototype as unknown as { persist: () => Promise<boolean> };
      const { persist } = prototype;
      const counter = globalThis as { asked?: number };
      prototype.persist = function () {
        counter.asked = (counter.asked ?? 0) + 1;
        return persist.call(this);
      };
    });
    await page.goto(site.pageUrl());
    const tab = scriptIn<PageExports>(page, '/page.js');
    await tab.openDriver(newName(), 1);
    await tab.putText('a', '1');
    await tab.putText('b', '2');
    await tab.openDriver(newName(), 1);
    await tab.putText('c', '3');

    expect(['persistent', 'best-effort']).toContain(await tab.persistence());
    expect(await page.evaluate('globalThis.asked')).toBe(1);
  });

  test('transactions have the durability that was asked for, strict by default', async () => {
    const tab = await openTab();

    expect(await tab.durabilityOf(newName(), 'strict')).toBe('strict');
    expect(await tab.durabilityOf(newName(), 'relaxed')).toBe('relaxed');
  });

  test('nothing is complained about on the console', () => {
    expect(browser.complaints).toEqual([]);
  });
});
