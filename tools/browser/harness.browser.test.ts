import { createProfile, launchBrowser, scriptIn, startSite } from 'browser-harness';
import { describeInChromium, runPageTests } from 'browser-harness/vitest';
import { expect, test } from 'vitest';

const PAGE = new URL('./harness.page.ts', import.meta.url);
type PageExports = typeof import('./harness.page.ts');

await runPageTests('tests in a page', PAGE);

describeInChromium('the browser harness', () => {
  test('what was written strictly is there after SIGKILL, on the same profile and origin', async () => {
    const profile = await createProfile();
    const site = await startSite({ scripts: { '/page.js': PAGE } });
    const killed = await launchBrowser({ profile: profile.path });
    const writer = await killed.open(site.pageUrl());
    await scriptIn<PageExports>(writer, '/page.js').remember('kept');

    await killed.kill();
    const next = await launchBrowser({ profile: profile.path });
    const reader = await next.open(site.pageUrl());
    const found = await scriptIn<PageExports>(reader, '/page.js').remembered();

    expect(found).toBe('kept');
    expect(next.pid).not.toBe(killed.pid);
    await next.close();
    await site.close();
    await profile.remove();
  });

  test('the server records pushes, and applies once what is resent after a lost answer', async () => {
    const site = await startSite({ scripts: { '/page.js': PAGE } });
    const browser = await launchBrowser();
    const page = await browser.open(site.pageUrl());
    site.sync.cut = 'after';
    const saving = scriptIn<PageExports>(page, '/page.js').saveAndSync(site.syncUrl);
    await site.sync.until(async (server) => (await server.arrivals()).length === 1);
    site.sync.cut = 'never';

    await saving;

    expect(site.sync.pushes.length).toBeGreaterThan(1);
    expect(site.sync.pushes.at(-1)?.status).toBe(200);
    expect(await site.sync.arrivals()).toMatchObject([
      { collection: 'notes', operation: 'create' },
    ]);
    await browser.close();
    await site.close();
  });

  test('offline is offline for the page, and ends', async () => {
    const site = await startSite();
    const browser = await launchBrowser();
    const page = await browser.open(site.pageUrl());
    const reaches = (): Promise<boolean> =>
      page.evaluate(async () => await fetch('/').then(Boolean, () => false));

    await browser.context.setOffline(true);
    const whenOffline = [await page.evaluate(() => navigator.onLine), await reaches()];
    await browser.context.setOffline(false);

    expect(whenOffline).toEqual([false, false]);
    expect(await reaches()).toBe(true);
    await browser.close();
    await site.close();
  });
});
