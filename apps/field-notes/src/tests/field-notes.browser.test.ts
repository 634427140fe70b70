import { randomBytes } from 'node:crypto';
import { describeInChromium } from 'browser-harness/vitest';
import { expect, test } from 'vitest';
import { appForEachTest, onServer, openConflict, signIn, writeNote } from './running-app.ts';

/** Something else of this site takes all the room that is left. */
const FILL_THE_DISK = `new Promise((resolve) => {
  const opening = indexedDB.open('filler', 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore('parts', { autoIncrement: true });
  opening.onsuccess = () => {
    const add = () => {
      const transaction = opening.result.transaction('parts', 'readwrite');
      transaction.objectStore('parts').add(crypto.getRandomValues(new Uint8Array(32_768)));
      transaction.oncomplete = add;
      transaction.onabort = () => resolve();
    };
    add();
  };
})`;

describeInChromium('the app, with its server', () => {
  const start = appForEachTest();

  test('starts without a network, on any of its addresses', async () => {
    const app = await start();
    const page = await app.openSignedIn();
    await page.goto(`${app.server.url}/#/reports`);
    await page.getByText('40 reports').waitFor();

    await app.browser.context.setOffline(true);
    await page.reload();

    await page.getByRole('heading', { name: 'Reports', level: 1 }).waitFor();
    await page.getByText('40 reports').waitFor();
    const other = await app.open('#/sync');
    await other.getByRole('heading', { name: 'Sync', level: 1 }).waitFor();
  });

  test('has on the server what was written offline, after a reload and the way back', async () => {
    const app = await start();
    const page = await app.openSignedIn();
    await app.browser.context.setOffline(true);
    await writeNote(page, { title: 'Ladder without feet', priority: 'High', text: 'Hall 2' });
    await page.locator('.detail-mark').getByText('Saved here').waitFor();

    await page.reload();

    await page.getByRole('link', { name: 'Ladder without feet' }).waitFor();
    await page.getByRole('link', { name: /Offline · 1/ }).waitFor();
    expect(await app.titlesOnServer()).toEqual([]);

    await app.browser.context.setOffline(false);

    await onServer(page);
    await page.getByRole('link', { name: /All sent/ }).waitFor();
    expect(await app.titlesOnServer()).toEqual(['Ladder without feet']);
  });

  test('sends what was written offline when every page of it is closed', async () => {
    let onArrival = (): void => {};
    const arrival = new Promise<void>((resolve) => (onArrival = resolve));
    const app = await start({
      hasSampleReports: false,
      forbids: () => {
        onArrival();
        return undefined;
      },
    });
    const page = await app.openSignedIn();
    await app.browser.context.setOffline(true);
    await writeNote(page, { title: 'Left behind', priority: 'High' });
    await app.browser.open('about:blank');
    await page.close();

    await app.browser.context.setOffline(false);

    await arrival;
    await expect.poll(() => app.titlesOnServer()).toEqual(['Left behind']);
  });

  test('keeps what was typed and not saved, over a reload', async () => {
    const app = await start();
    const page = await app.openSignedIn();
    await page.getByRole('link', { name: 'New note' }).click();
    await page.getByLabel('Title').fill('Half a thought');

    await page.reload();

    await page.locator('.detail-mark').getByText('Not saved yet').waitFor();
    expect(await page.getByLabel('Title').inputValue()).toBe('Half a thought');
  });

  test('keeps of a photo what its file says', async () => {
    const app = await start();
    const page = await app.openSignedIn();
    await page.getByRole('link', { name: 'New note' }).click();
    await page.getByLabel('Title').fill('With a picture');
    const photo = { name: 'roof.jpg', mimeType: 'image/jpeg', buffer: Buffer.alloc(2_048) };
    await page.getByLabel('Add photos').setInputFiles(photo);
    await page.getByText('2 kB').waitFor();
    await page.getByRole('button', { name: 'Save', exact: true }).click();

    await page.getByRole('link', { name: 'With a picture' }).getByText('1 photo').waitFor();

    await page.getByRole('button', { name: 'Remove roof.jpg' }).click();
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    await page
      .getByRole('link', { name: 'With a picture' })
      .getByText('1 photo')
      .waitFor({ state: 'detached' });
  });

  test('shows what the server refused, and sends it once it was changed', async () => {
    const app = await start();
    const page = await app.openSignedIn();
    await writeNote(page, { title: 'Fence open', priority: 'Critical' });
    await page.getByText('A critical note needs a text').waitFor();
    await page.locator('.detail-mark').getByText('Refused').waitFor();

    await page.getByLabel('What did you see?').fill('Two metres, at gate 14');
    await page.keyboard.press('Control+Enter');

    await onServer(page);
    expect(await app.titlesOnServer()).toEqual(['Fence open']);
  });

  test('sends a refused note again as it is, when people say so', async () => {
    let isRefusing = true;
    const app = await start({
      forbids: () => (isRefusing ? 'The office is closed.' : undefined),
      hasSampleReports: false,
    });
    const page = await app.openSignedIn();
    await writeNote(page, { title: 'Out of hours', priority: 'High' });
    await page.getByRole('link', { name: /1 refused/ }).click();
    await page.getByText('The office is closed.').waitFor();
    isRefusing = false;

    await page.getByRole('button', { name: 'Send again', exact: true }).click();

    await page.getByText('The office is closed.').waitFor({ state: 'detached' });
    await page.getByRole('link', { name: 'Notes', exact: true }).click();
    await page.getByRole('link', { name: 'Out of hours' }).getByText('On the server').waitFor();
    expect(await app.titlesOnServer()).toEqual(['Out of hours']);
  });

  test('asks a person about a conflict, field by field', async () => {
    const app = await start();
    const page = await app.openSignedIn();
    const id = await openConflict(app, page);

    const text = page.getByRole('group', { name: 'What did you see?' });
    expect(await text.getByRole('radio', { name: 'Mine' }).isChecked()).toBe(true);
    const where = page.getByRole('group', { name: 'Site' });
    expect(await where.getByRole('radio', { name: 'Theirs' }).isChecked()).toBe(true);

    await page.getByRole('button', { name: 'Save this choice' }).click();

    // Not that it is there: it may meet the next conflict.
    await page.getByText('The merged note will be sent.').waitFor();
    await onServer(page);
    expect(await page.getByLabel('Site').inputValue()).toBe('Hangar 4');
    expect(await app.noteOnServer(id)).toMatchObject({
      text: 'Mine',
      site: 'Hangar 4',
      title: 'Nest',
    });
  });

  test('keeps what one user left unsent, and never sends it as another', async () => {
    const app = await start();
    const page = await app.openSignedIn('field-day');
    await app.browser.context.setOffline(true);
    await writeNote(page, { title: 'Of the field team', priority: 'High' });
    await page.getByRole('link', { name: 'Account' }).click();
    await page.getByRole('button', { name: 'Sign out' }).click();
    const question = page.getByRole('dialog', { name: '1 change is not on the server yet' });
    await question.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('stays on this device, unseen, until Field team signs in again').waitFor();

    await app.browser.context.setOffline(false);
    await signIn(page, 'night-shift');
    await page.getByText('Nothing written yet.').waitFor();
    await writeNote(page, { title: 'Of the night crew', priority: 'High' });
    await onServer(page);

    expect(await app.titlesOnServer('night-shift')).toEqual(['Of the night crew']);
    expect(await app.titlesOnServer('field-day')).toEqual([]);

    await page.getByRole('link', { name: 'Account' }).click();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('Everything you wrote is on the server.').waitFor();
    await signIn(page, 'field-day');
    await page
      .getByRole('link', { name: 'Of the field team' })
      .getByText('On the server')
      .waitFor();

    expect(await app.titlesOnServer('field-day')).toEqual(['Of the field team']);
    expect(await app.titlesOnServer('night-shift')).toEqual(['Of the night crew']);
  });

  test('deletes unsent notes at sign-out, if it is told to', async () => {
    const app = await start();
    const page = await app.openSignedIn();
    await app.browser.context.setOffline(true);
    await writeNote(page, { title: 'Never to be sent' });
    await page.getByRole('link', { name: 'Account' }).click();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('radio', { name: /^Delete it/ }).check();
    await page.getByRole('dialog').getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('was deleted, as you asked').waitFor();

    await app.browser.context.setOffline(false);
    await signIn(page, 'field-day');

    await page.getByText('Nothing written yet.').waitFor();
    expect(await app.titlesOnServer()).toEqual([]);
  });

  test('says what to do when the disk is full, and keeps the text', async () => {
    const app = await start();
    const origin = app.server.url;
    const first = await app.browser.open('about:blank');
    const debug = await app.browser.debug(first);
    // Before anything is written: Chromium remembers for half a minute how much room there was.
    await debug.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 2_000_000 });
    const page = await app.openSignedIn();
    await page.getByRole('link', { name: 'New note' }).click();
    await page.getByLabel('Title').fill('One too many');
    await page.locator('.editor').getByRole('radio', { name: 'High' }).check();
    const text = randomBytes(40_000).toString('base64');
    await page.getByLabel('What did you see?').fill(text);
    await page.evaluate(FILL_THE_DISK);

    await page.getByRole('button', { name: 'Save', exact: true }).click();

    await page.getByText('This device has no room left for Field notes.').waitFor();
    expect(await page.getByLabel('What did you see?').inputValue()).toBe(text);

    await debug.send('Storage.overrideQuotaForOrigin', { origin });
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    await onServer(page);
    expect(await app.titlesOnServer()).toEqual(['One too many']);
  });
});
