import { describeInChromium } from 'browser-harness/vitest';
import type { BrowserContext, Page, Route } from 'playwright-core';
import { expect, test } from 'vitest';
import { appForEachTest, lookAtServer, signIn } from './running-app.ts';

const FALSE_WORDS = [
  'Nothing written yet.',
  'All sent',
  'Everything is on the server',
  'No report is',
];

/** What the page says that nobody can know before everything was fetched. */
async function falseWords(page: Page): Promise<readonly string[]> {
  const said = await page.locator('body').innerText();
  return FALSE_WORDS.filter((words) => said.includes(words));
}

/** Every request to sync is answered by this. Returns how to end it. */
async function answerSync(
  context: BrowserContext,
  answer: (route: Route) => Promise<void>,
): Promise<() => Promise<void>> {
  const address = (url: URL): boolean => url.pathname.startsWith('/sync/');
  await context.route(address, answer);
  return () => context.unroute(address, answer);
}

/** Requests are played with in the page only. */
const browser = { context: { serviceWorkers: 'block' } } as const;

describeInChromium('a device that is new', () => {
  const start = appForEachTest();

  test('says that nothing can be fetched, not that there is nothing', async () => {
    const app = await start({ browser });
    const page = await app.open();
    const end = await answerSync(app.browser.context, (route) => route.fulfill({ status: 503 }));
    await signIn(page, 'field-day');
    const said = 'Could not fetch: the server answered 503. What you see may be incomplete.';

    await page.locator('.count').getByText(said).waitFor();
    await page.getByRole('link', { name: 'Sync: Could not fetch' }).waitFor();
    expect(await falseWords(page)).toEqual([]);

    await page.getByRole('link', { name: 'Reports' }).click();
    await page.locator('.count').getByText(said).waitFor();
    expect(await falseWords(page)).toEqual([]);

    await page.getByRole('link', { name: 'Sync: Could not fetch' }).click();
    await page.locator('.lead').getByText(said).waitFor();
    await page.getByRole('button', { name: 'Send now' }).click();
    await page
      .getByText('Nothing waits to be sent, but what you see may be out of date.')
      .waitFor();
    expect(await falseWords(page)).toEqual([]);

    await end();
    await page.goto(`${app.server.url}/#/reports`);
    await page.reload();
    await lookAtServer(page);
    await page.getByText('40 reports', { exact: true }).waitFor();
    await page.getByRole('link', { name: 'All sent' }).waitFor();
  });

  test('fetches also where no screen asks for it and the server cannot call', async () => {
    const app = await start({ browser });
    const page = await app.open('#/account');
    const events = (url: URL): boolean => url.pathname === '/sync/v1/events';
    await app.browser.context.route(events, (route) => route.fulfill({ status: 503 }));
    await page.getByLabel('Access code').fill('field-day');
    await page.getByRole('button', { name: 'Sign in' }).click();

    await page.getByRole('link', { name: 'All sent' }).waitFor();
    await page.getByRole('link', { name: 'Reports' }).click();
    await page.getByText('40 reports', { exact: true }).waitFor();
  });

  test('says that it fetches, until it has', async () => {
    const app = await start({ browser, hasSampleReports: false });
    const page = await app.open();
    let letGo = (): void => {};
    const isFree = new Promise<void>((resolve) => (letGo = resolve));
    await answerSync(app.browser.context, async (route) => {
      await isFree;
      await route.continue();
    });
    await signIn(page, 'night-shift');

    await page.locator('.count').getByText('Fetching your notes …').waitFor();
    await page.getByRole('link', { name: 'Sync: Fetching' }).waitFor();
    expect(await falseWords(page)).toEqual([]);
    await page.goto(`${app.server.url}/#/reports`);
    await page.locator('.count').getByText('Fetching the reports …').waitFor();
    expect(await falseWords(page)).toEqual([]);
    await page.goto(`${app.server.url}/#/notes/elsewhere`);
    await page.locator('.detail').getByText('Fetching your notes …').waitFor();

    letGo();

    await page.getByText('Nothing written yet.').waitFor();
    await page.getByText('This note is no longer here').waitFor();
    await page.getByRole('link', { name: 'All sent' }).waitFor();
  });
});

/** As the next version of the app would, if it kept its data otherwise. */
const NEXT_VERSION = `new Promise((resolve, reject) => {
  const opening = indexedDB.open('field-notes', 99);
  opening.onsuccess = () => {
    opening.result.close();
    resolve();
  };
  opening.onerror = () => reject(opening.error);
})`;

const FORGET = `new Promise((resolve, reject) => {
  const deleting = indexedDB.deleteDatabase('field-notes');
  deleting.onsuccess = () => resolve();
  deleting.onerror = () => reject(deleting.error);
})`;

/** As on a network that swallows requests. */
const NO_UPDATE = `ServiceWorkerRegistration.prototype.update = () => new Promise(() => {});`;

describeInChromium('a device that a newer version has used', () => {
  const start = appForEachTest();

  test('reloads after a while also where nobody can tell whether there is a newer one', async () => {
    const app = await start({ hasSampleReports: false });
    await app.browser.context.addInitScript({ content: NO_UPDATE });
    const page = await app.openSignedIn();
    const other = await app.open('nothing.txt');
    await other.evaluate(NEXT_VERSION);
    await page.clock.install();
    await page.reload();
    await page.getByRole('button', { name: 'Reload' }).click();

    await page.getByRole('button', { name: 'Reloading …' }).waitFor();
    const reloaded = page.waitForEvent('load');
    await page.clock.fastForward(5_000);
    await reloaded;

    await page.getByRole('button', { name: 'Reload', exact: true }).waitFor();
  });

  test('offers to reload, which helps', async () => {
    const app = await start({ hasSampleReports: false });
    const page = await app.openSignedIn();
    const other = await app.open('nothing.txt');
    await other.evaluate(NEXT_VERSION);
    await page.getByRole('link', { name: 'New note' }).click();
    const failure = page.getByRole('alert').filter({ hasText: 'A newer version of Field notes' });
    await page.getByLabel('Title').or(failure).first().waitFor();
    if (await page.getByLabel('Title').isVisible()) {
      await page.getByLabel('Title').fill('Too late');
      await page.getByRole('button', { name: 'Save', exact: true }).click();
    }
    await failure.first().waitFor();
    expect(await page.getByRole('button', { name: 'Try again' }).count()).toBe(0);

    const reloaded = page.waitForEvent('load');
    await failure.first().getByRole('button', { name: 'Reload' }).click();
    await reloaded;
    // It is still too old, and does not even start.
    await failure.first().waitFor();
    expect(await page.getByRole('button', { name: 'Try again' }).count()).toBe(0);
    await other.evaluate(FORGET);

    await page.getByRole('button', { name: 'Reload' }).click();

    await page.getByLabel('Access code').waitFor();
  });
});
