import { describeInChromium } from 'browser-harness/vitest';
import type { BrowserContext, Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { appForEachTest, HOLD_THE_DISK, onServer, signIn, writeNote } from './running-app.ts';

const message = (page: Page) => page.getByText('Note deleted.');

async function deleteNewNote(page: Page): Promise<void> {
  // Browsers hardly paint a tab that is behind another.
  await page.bringToFront();
  await writeNote(page, { title: 'Of the field team', priority: 'High' });
  await onServer(page);
  await page.getByRole('button', { name: 'Delete note' }).click();
  await message(page).waitFor();
}

async function signOut(page: Page): Promise<void> {
  await page.bringToFront();
  await page.getByRole('link', { name: 'Account' }).click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  const question = page.getByRole('dialog').getByRole('button', { name: 'Sign out' });
  const door = page.getByLabel('Access code');
  await question.or(door).first().waitFor();
  if (await question.isVisible()) await question.click();
  await door.waitFor();
}

/** Requests are played with in the page only. */
const browser = { context: { serviceWorkers: 'block' } } as const;

/** Requests to this part of the server are never answered. Returns how to end it. */
async function swallow(context: BrowserContext, path: string): Promise<() => Promise<void>> {
  const address = (url: URL): boolean => url.pathname.startsWith(path);
  const neverAnswer = (): Promise<never> => new Promise<never>(() => {});
  await context.route(address, neverAnswer);
  return () => context.unroute(address, neverAnswer);
}

describeInChromium('a message', () => {
  const start = appForEachTest();

  test('goes with the user: what it undoes is not for the next', async () => {
    const app = await start();
    const page = await app.openSignedIn('field-day');
    await deleteNewNote(page);

    await signOut(page);

    expect(await message(page).count()).toBe(0);
    await signIn(page, 'night-shift');
    await page.getByText('Nothing written yet.').waitFor();
    expect(await page.getByRole('button', { name: 'Undo' }).count()).toBe(0);
    expect(await app.titlesOnServer('night-shift')).toEqual([]);
  });

  test('goes with the user, also if another tab signs out', async () => {
    const app = await start();
    const page = await app.openSignedIn('field-day');
    const other = await app.open('#/account');
    await deleteNewNote(page);

    await signOut(other);
    await signIn(other, 'night-shift');

    await page.getByText('Nothing written yet.').waitFor();
    expect(await message(page).count()).toBe(0);
  });

  test('brings a note back as long as its user is there', async () => {
    const app = await start();
    const page = await app.openSignedIn('field-day');
    await deleteNewNote(page);
    await page.getByRole('button', { name: 'Undo' }).press('Enter');

    await page
      .getByRole('link', { name: 'Of the field team' })
      .getByText('On the server')
      .waitFor();
    expect(await app.titlesOnServer('field-day')).toEqual(['Of the field team']);
    // Not lost with the button.
    expect(await page.evaluate('document.activeElement.tagName')).toBe('H1');
  });

  test('ends by itself, but not while somebody points at it or has the focus in it', async () => {
    const app = await start();
    const page = await app.openSignedIn('field-day');
    await page.clock.install();
    await page.reload();
    await deleteNewNote(page);
    const undo = page.getByRole('button', { name: 'Undo' });

    await page.clock.fastForward(15_000);
    await undo.hover();
    await page.clock.fastForward(60_000);
    expect(await undo.isVisible()).toBe(true);

    await undo.focus();
    await page.mouse.move(0, 0);
    await page.clock.fastForward(60_000);
    expect(await undo.isVisible()).toBe(true);

    await page.getByRole('heading', { level: 1 }).first().focus();
    await page.clock.fastForward(21_000);
    await message(page).waitFor({ state: 'detached' });
  });
});

describeInChromium('signing out', () => {
  const start = appForEachTest();

  test('is not left half-way: while it sends first, there is no staying any more', async () => {
    const app = await start({ browser });
    const page = await app.open();
    await signIn(page, 'field-day');
    const answerAgain = await swallow(app.browser.context, '/sync/');
    await writeNote(page, { title: 'Not on the server', priority: 'Low' });
    await page.getByRole('link', { name: 'Account' }).click();
    await page.getByRole('button', { name: 'Sign out' }).click();
    const question = page.getByRole('dialog');
    await question.getByRole('radio', { name: /^Send it first/ }).check();

    await question.getByRole('button', { name: 'Sign out' }).click();
    await question.getByRole('button', { name: 'Signing out …' }).waitFor();
    await question.getByRole('button', { name: 'Stay' }).click({ force: true });
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');

    expect(await question.isVisible()).toBe(true);
    await page.getByText('1 change that could not be sent stays on this device').waitFor();
    await answerAgain();
    expect(await app.titlesOnServer()).toEqual([]);
  });

  test('can be left by Escape before it has begun', async () => {
    const app = await start({ browser });
    const page = await app.open();
    await signIn(page, 'field-day');
    await app.browser.context.setOffline(true);
    await writeNote(page, { title: 'Not on the server' });
    await page.getByRole('link', { name: 'Account' }).click();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('dialog').waitFor();

    await page.keyboard.press('Escape');

    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.getByText('You are signed in as').waitFor();
  });
});

/** The tab gets at the credentials only after `letGo()`. */
const LATE_CREDENTIALS = `{
  const isFree = new Promise((resolve) => (globalThis.letGo = resolve));
  const { open } = IDBFactory.prototype;
  IDBFactory.prototype.open = function (name, version) {
    if (name !== 'field-notes-credentials') return open.call(this, name, version);
    const late = {};
    globalThis.isAsking = true;
    isFree.then(() => {
      const opening = open.call(this, name, version);
      for (const event of ['onupgradeneeded', 'onsuccess', 'onerror'])
        opening[event] = () => {
          late.result = opening.result;
          late[event]?.();
        };
    });
    return late;
  };
}`;

/** Signing in has stored something, or waits for another tab. */
const HAS_COME_FAR = `new Promise((resolve) => {
  const opening = indexedDB.open('field-notes-credentials');
  opening.onupgradeneeded = () => opening.transaction.abort();
  opening.onerror = () => resolve(0);
  opening.onsuccess = () => {
    const counting = opening.result.transaction('credentials').objectStore('credentials').count();
    counting.onsuccess = () => resolve(counting.result);
    opening.result.close();
  };
}).then(async (stored) => {
  const { pending } = await navigator.locks.query();
  return stored > 0 || pending.some(({ name }) => name === 'field-notes.session');
})`;

/** Nobody waits as long as people do. */
const IMPATIENT = `{
  const { timeout } = AbortSignal;
  AbortSignal.timeout = (ms) => timeout.call(AbortSignal, ms > 5_000 ? 500 : ms);
}`;

describeInChromium('signing in', () => {
  const start = appForEachTest();

  test('loses nothing to a tab that starts at that moment, and finds nobody signed in', async () => {
    const app = await start({ hasSampleReports: false });
    const page = await app.open();
    const other = await app.browser.context.newPage();
    await other.addInitScript({ content: LATE_CREDENTIALS });
    await other.goto(app.server.url);
    await expect.poll(() => other.evaluate('globalThis.isAsking')).toBe(true);
    await page.bringToFront();
    await page.getByLabel('Access code').waitFor();
    await page.evaluate(HOLD_THE_DISK);

    const signedIn = signIn(page, 'field-day');
    await expect.poll(() => page.evaluate(HAS_COME_FAR), { timeout: 20_000 }).toBe(true);
    await other.evaluate('letGo()');
    await other.getByLabel('Access code').waitFor();
    await page.evaluate('letGo()');
    await signedIn;
    await writeNote(page, { title: 'Nest', priority: 'High' });

    await onServer(page);
    expect(await app.titlesOnServer()).toEqual(['Nest']);
  });

  test('says why it could not be, and can be tried again', async () => {
    const app = await start({ browser });
    const { context } = app.browser;
    await context.addInitScript({ content: IMPATIENT });
    const page = await app.open();
    const tryIt = async (said: string): Promise<void> => {
      await page.getByLabel('Access code').fill('field-day');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('alert').getByText(said).waitFor();
    };

    const answerAgain = await swallow(context, '/session');
    await tryIt('The server cannot be reached.');
    await answerAgain();

    await context.route('**/session', (route) => route.fulfill({ status: 503 }));
    await tryIt('The server has a failure of its own.');
    await context.unroute('**/session');

    const portal = { contentType: 'text/html', body: '<h1>Welcome to our network</h1>' };
    await context.route('**/session', (route) => route.fulfill(portal));
    await tryIt('The server cannot be reached.');
    await context.unroute('**/session');

    await signIn(page, 'field-day');
  });
});
