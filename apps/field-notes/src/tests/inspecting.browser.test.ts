import { describeInChromium } from 'browser-harness/vitest';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { appForEachTest, signIn, writeNote } from './running-app.ts';

async function showInspector(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'Account' }).click();
  await page.getByLabel('Show the inspector').check();
}

describeInChromium('the inspector in the app', () => {
  const start = appForEachTest();

  test('takes only itself away where it cannot be loaded', async () => {
    const app = await start({ browser: { context: { serviceWorkers: 'block' } } });
    const page = await app.open();
    await signIn(page, 'field-day');
    const script = /\/assets\/inspector-/;
    await app.browser.context.route(script, (route) => route.abort());

    await showInspector(page);

    const tools = page.getByRole('complementary', { name: 'Developer tools' });
    await tools.getByRole('alert').waitFor();
    await page.getByRole('heading', { name: 'Account' }).waitFor();
    await app.browser.context.unroute(script);
    await tools.getByRole('button', { name: 'Try again' }).click();
    await tools.getByRole('button', { name: 'Sync now' }).waitFor();
  });

  test('says that the network is switched by hand, and back, also when it is hidden', async () => {
    const app = await start({ hasSampleReports: false });
    const page = await app.openSignedIn();
    await showInspector(page);
    await page.getByRole('radio', { name: 'Offline' }).check();
    await page.getByRole('button', { name: 'Hide the inspector' }).click();
    await page.getByRole('link', { name: 'Notes', exact: true }).first().click();
    await writeNote(page, { title: 'Held back', priority: 'Critical', text: 'By hand' });

    await page.reload();
    const banner = page.locator('.banner');
    await banner.getByText('The network is switched off in the inspector.').waitFor();
    const other = await app.open();
    await other.locator('.banner').getByText('switched off in the inspector').waitFor();
    expect(await app.titlesOnServer()).toEqual([]);
    // Browsers paint no tab that is behind another.
    await page.bringToFront();
    await banner.getByRole('button', { name: 'Switch back' }).click();

    await banner.waitFor({ state: 'detached' });
    await other.locator('.banner').waitFor({ state: 'detached' });
    await expect.poll(() => app.titlesOnServer(), { timeout: 10_000 }).toEqual(['Held back']);

    await showInspector(page);
    await page.getByRole('radio', { name: 'Slow' }).check();
    await banner.getByText('The network is slowed down in the inspector.').waitFor();
    // Asked to end, it would wait for the worker, which was woken by the reload and has not given up yet.
    await app.browser.kill();
  });
});
