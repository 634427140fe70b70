import { describeInChromium } from 'browser-harness/vitest';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { appForEachTest, writeNote } from './running-app.ts';

const versionOf = (page: Page): Promise<string> =>
  page.evaluate(`document.documentElement.dataset.version ?? 'first'`);

const offer = (page: Page) => page.locator('.banner').filter({ hasText: 'new version' });

describeInChromium('a new version of the app', () => {
  const start = appForEachTest();

  test('waits until people ask for it, and brings what was typed along, in every tab', async () => {
    const app = await start({ hasSampleReports: false });
    const page = await app.openSignedIn();
    const other = await app.open();
    await app.release();
    await page.bringToFront();
    await page.getByRole('link', { name: 'New note' }).click();
    await page.reload();
    await page.getByLabel('Title').fill('Half a thought');

    await offer(page).waitFor();
    const before = await versionOf(page);
    const reloaded = [page, other].map((tab) => tab.waitForEvent('load'));
    await offer(page).getByRole('button', { name: 'Reload' }).click();
    await Promise.all(reloaded);

    expect([before, await versionOf(page), await versionOf(other)]).toEqual([
      'first',
      'next',
      'next',
    ]);
    expect(await page.getByLabel('Title').inputValue()).toBe('Half a thought');
    await offer(page).waitFor({ state: 'detached' });
  });

  test('says what it waits for while the worker is still at work', async () => {
    const app = await start({ hasSampleReports: false });
    const page = await app.openSignedIn();
    await page.getByRole('link', { name: 'Account' }).click();
    await page.getByLabel('Show the inspector').check();
    await page.getByRole('radio', { name: 'Offline' }).check();
    await page.getByRole('link', { name: 'Notes', exact: true }).first().click();
    await writeNote(page, { title: 'Held back', priority: 'Critical', text: 'By hand' });
    // What it leaves is tried by the worker, again and again.
    const other = await app.open();
    await other.close();
    await app.release();
    await page.bringToFront();
    await page.reload();

    await offer(page).getByRole('button', { name: 'Reload' }).click();

    await page.getByText('starts as soon as nothing is sent in the background').waitFor();
    await page.getByRole('button', { name: 'Reloading …' }).waitFor();
    expect(await versionOf(page)).toBe('first');
    // Asked to end, it would wait for its worker too.
    await app.browser.kill();
  });
});
