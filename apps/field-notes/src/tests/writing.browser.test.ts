import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createProfile } from 'browser-harness';
import { describeInChromium } from 'browser-harness/vitest';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { appForEachTest, HOLD_THE_DISK, writeNote, type RunningApp } from './running-app.ts';

/** How well an element's text can be read, as WCAG counts it: 4.5 is the least for text of this size. */
const CONTRAST = `(element) => {
  const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const lightness = (color) => {
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map((byte) => {
      const part = byte / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const { color, backgroundColor } = getComputedStyle(element);
  const [dark, light] = [lightness(color), lightness(backgroundColor)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}`;

const textOf = (page: Page): Promise<string> => page.getByLabel('What did you see?').inputValue();
const saveButton = (page: Page) => page.getByRole('button', { name: 'Save', exact: true });
const saidSaved = (page: Page) => page.getByText('Saved on this device.');
const openMark = (page: Page) => page.locator('.detail-mark');
const rows = (page: Page) => page.locator('.rows .row');

type Start = ReturnType<typeof appForEachTest>;

function signedInForEachTest(): (
  ...given: Parameters<Start>
) => Promise<{ readonly app: RunningApp; readonly page: Page }> {
  const start = appForEachTest();
  return async (options) => {
    const app = await start({ hasSampleReports: false, ...options });
    return { app, page: await app.openSignedIn() };
  };
}

describeInChromium('writing', () => {
  const start = signedInForEachTest();

  test('goes on while a new note is saved, and nothing of it is thrown away', async () => {
    const { app, page } = await start();
    await page.getByRole('link', { name: 'New note' }).click();
    await page.getByLabel('Title').fill('Nest');
    const text = page.getByLabel('What did you see?');
    await text.click();
    await page.keyboard.type('first.');
    await page.evaluate(HOLD_THE_DISK);
    await page.keyboard.press('Control+s');
    await page.keyboard.type('second.');

    await page.evaluate('letGo()');
    await saidSaved(page).waitFor();
    await page.waitForURL((url) => !url.hash.includes('draft='));
    // The caret is where it was, too.
    await page.keyboard.type('third.');

    expect(await textOf(page)).toBe('first.second.third.');
    await openMark(page).getByText('Not saved yet').waitFor();
    expect(await page.evaluate('document.activeElement.tagName')).toBe('TEXTAREA');

    await page.keyboard.press('Control+s');
    await openMark(page).getByText('On the server').waitFor();
    await page.reload();
    await page.getByLabel('Title').waitFor();
    expect(await textOf(page)).toBe('first.second.third.');
    expect(await app.titlesOnServer()).toEqual(['Nest']);
  });

  test('goes on while changes are saved, and nothing of it is thrown away', async () => {
    const { page } = await start();
    await writeNote(page, { title: 'Nest', text: 'As found.' });
    const text = page.getByLabel('What did you see?');
    await text.click();
    await page.keyboard.press('Control+End');
    let typed = 'As found.';
    for (const round of [1, 2, 3, 4]) {
      await page.keyboard.type(`first${round}.`);
      await page.keyboard.press('Control+s');
      await page.keyboard.type(`second${round}.`);
      typed += `first${round}.second${round}.`;
    }
    await page.keyboard.press('Control+s');
    await openMark(page).getByText('Not saved yet').waitFor({ state: 'detached' });

    expect(await textOf(page)).toBe(typed);
    await openMark(page).getByText('On the server').waitFor();
    await page.reload();
    await page.getByLabel('Title').waitFor();
    expect(await textOf(page)).toBe(typed);
  });

  test('a second save that is asked for while one runs saves what was typed since', async () => {
    const { app, page } = await start();
    await page.getByRole('link', { name: 'New note' }).click();
    await page.getByLabel('Title').click();
    await page.evaluate(HOLD_THE_DISK);
    await page.keyboard.type('Nest');
    await page.keyboard.press('Control+s');
    await page.keyboard.type(' of a kestrel');
    await page.keyboard.press('Control+s');

    await page.evaluate('letGo()');

    await openMark(page).getByText('On the server').waitFor();
    await expect.poll(() => app.titlesOnServer()).toEqual(['Nest of a kestrel']);
  });

  test('the next note can be begun while one is saved, and stays where it is', async () => {
    const { app, page } = await start();
    await page.getByRole('link', { name: 'New note' }).click();
    await page.getByLabel('Title').fill('The first');
    await page.evaluate(HOLD_THE_DISK);
    await saveButton(page).click();
    await page.getByRole('link', { name: 'New note' }).click();
    await page.waitForURL((url) => url.hash.includes('draft='));
    await expect.poll(() => page.evaluate('globalThis.letGo !== undefined')).toBe(true);
    await page.evaluate('letGo()');
    await expect.poll(() => page.getByLabel('Title').inputValue()).toBe('');
    await page.getByLabel('Title').fill('The next');
    await saidSaved(page).waitFor();

    expect(await page.getByLabel('Title').inputValue()).toBe('The next');
    await openMark(page).getByText('Not saved yet').waitFor();
    await rows(page).filter({ hasText: 'The first' }).getByText('On the server').waitFor();
    await rows(page).filter({ hasText: 'The next' }).getByText('Not saved yet').waitFor();
    expect(await app.titlesOnServer()).toEqual(['The first']);
  });

  test('saving twice at once makes one note', async () => {
    const { app, page } = await start();
    for (const title of ['By key', 'By pointer', 'By both']) {
      await page.getByRole('link', { name: 'New note' }).click();
      await page.getByLabel('Title').fill(title);
      if (title !== 'By pointer') await page.keyboard.press('Control+Enter');
      if (title === 'By key') await page.keyboard.press('Control+Enter');
      else await saveButton(page).dblclick({ force: true });
      await openMark(page)
        .getByText(/Saved here|Sending|On the server/)
        .waitFor();
    }
    expect(await rows(page).count()).toBe(3);

    await page.getByRole('link', { name: /All sent/ }).waitFor();
    expect(await app.titlesOnServer()).toEqual(['By key', 'By pointer', 'By both']);
  });

  test('sending a refused note again twice at once makes one note', async () => {
    let isRefusing = true;
    const { app, page } = await start({
      forbids: () => (isRefusing ? 'The office is closed.' : undefined),
    });
    await writeNote(page, { title: 'Out of hours' });
    await page.getByText('The office is closed.').waitFor();
    // Something waits behind what was refused: it takes the way of a replacement.
    await app.browser.context.setOffline(true);
    await page.getByLabel('Site').fill('Gate 14');
    await saveButton(page).click();
    await openMark(page).getByText('Saved here').waitFor();
    await page.getByLabel('What did you see?').fill('not saved');
    isRefusing = false;
    await app.browser.context.setOffline(false);

    await openMark(page).getByText('Not saved yet').waitFor();
    expect(await textOf(page)).toBe('not saved');
    await saveButton(page).dblclick({ force: true });

    await openMark(page).getByText('On the server').waitFor();
    expect(await app.titlesOnServer()).toEqual(['Out of hours']);
    expect(await rows(page).count()).toBe(1);
  });

  test('Save can be read under the pointer, when there is nothing to save', async () => {
    const { page } = await start();
    // Colours as they end, not on their way.
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await writeNote(page, { title: 'Nest' });
    const save = saveButton(page);
    await expect.poll(() => save.isDisabled()).toBe(true);
    await save.hover({ force: true });

    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      const contrast = await page.evaluate<number>(
        `(${CONTRAST})(document.querySelector('.editor button[type=submit]'))`,
      );
      expect(contrast).toBeGreaterThan(4.5);
    }
  });

  test('a title can be typed into: nothing takes the focus away', async () => {
    const { page } = await start();
    await writeNote(page, { title: 'Nest' });
    await page.getByLabel('Title').click();
    await page.keyboard.press('End');

    await page.keyboard.type(' of a kestrel');

    expect(await page.getByLabel('Title').inputValue()).toBe('Nest of a kestrel');
  });

  test('a title of spaces is saved as a name', async () => {
    const { app, page } = await start();
    await writeNote(page, { title: '   ', text: 'Two metres\nat gate 14', priority: 'High' });
    await openMark(page).getByText('On the server').waitFor();

    expect(await page.getByLabel('Title').inputValue()).toBe('Two metres');
    expect(await app.titlesOnServer()).toEqual(['Two metres']);

    await page.getByLabel('Title').fill('  Fence  ');
    await saveButton(page).click();
    await rows(page).getByText('Fence', { exact: true }).waitFor();
    await expect.poll(() => page.getByLabel('Title').inputValue()).toBe('Fence');
  });
});

describeInChromium('what is not saved yet', () => {
  const start = signedInForEachTest();

  test('of a new note belongs to its tab, and is not taken by a save in another', async () => {
    const { app, page: a } = await start();
    await a.getByRole('link', { name: 'New note' }).click();
    await a.getByLabel('Title').fill('In tab A');
    const b = await app.open();

    await b.getByRole('link', { name: 'New note' }).click();
    expect(await b.getByLabel('Title').inputValue()).toBe('');
    await b.getByLabel('Title').fill('In tab B');
    await saveButton(b).click();
    await openMark(b).getByText('On the server').waitFor();
    await a.reload();

    await openMark(a).getByText('Not saved yet').waitFor();
    expect(await a.getByLabel('Title').inputValue()).toBe('In tab A');
    expect(await app.titlesOnServer()).toEqual(['In tab B']);
  });

  test('of a note that is open in two tabs belongs to its tab', async () => {
    const { app, page: a } = await start();
    await writeNote(a, { title: 'Nest', site: 'Hangar 3', text: 'As found', priority: 'High' });
    await openMark(a).getByText('On the server').waitFor();
    const b = await app.open(new URL(a.url()).hash);
    await a.getByLabel('What did you see?').fill('Typed in A');
    await b.getByText('typed in another tab and not saved').waitFor();
    expect(await textOf(b)).toBe('As found');

    await b.getByLabel('What did you see?').fill('Typed in B');
    await b.getByLabel('Site').fill('Hangar 4');
    await saveButton(b).click();

    await a.getByText('someone changed the same').waitFor();
    // The field that nobody has touched here follows.
    await expect.poll(() => a.getByLabel('Site').inputValue()).toBe('Hangar 4');
    await a.reload();
    await openMark(a).getByText('Not saved yet').waitFor();
    expect(await textOf(a)).toBe('Typed in A');
  });

  test('is in the list, and outlives a browser that is killed', async () => {
    const profile = await createProfile();
    try {
      const { app, page: before } = await start({ browser: { profile: profile.path } });
      await writeNote(before, { title: 'Nest', text: 'As found', priority: 'High' });
      await openMark(before).getByText('On the server').waitFor();
      // A browser that has just been started brings what a page keeps to its disk within seconds, later once a minute.
      await app.killBrowser({ profile: profile.path });
      const page = await app.open();
      await rows(page).filter({ hasText: 'Nest' }).click();
      await page.getByLabel('What did you see?').fill('Changed, not saved');
      await page.getByRole('link', { name: 'New note' }).click();
      await page.getByLabel('Title').fill('Never saved');
      await rows(page).filter({ hasText: 'Nest' }).getByText('Not saved yet').waitFor();
      await rows(page).filter({ hasText: 'Never saved' }).getByText('Not saved yet').waitFor();
      await expect
        .poll(() => isOnDisk(profile.path, 'Never saved'), { timeout: 90_000 })
        .toBe(true);

      await app.killBrowser({ profile: profile.path });
      const again = await app.open();

      await rows(again).filter({ hasText: 'Never saved' }).click();
      await openMark(again).getByText('Not saved yet').waitFor();
      expect(await again.getByLabel('Title').inputValue()).toBe('Never saved');
      await saveButton(again).click();
      await openMark(again).getByText('On the server').waitFor();
      await rows(again).filter({ hasText: 'Nest' }).getByText('Not saved yet').waitFor();
      await rows(again).filter({ hasText: 'Nest' }).click();
      await expect.poll(() => textOf(again)).toBe('Changed, not saved');
      expect(await app.titlesOnServer()).toEqual(['Nest', 'Never saved']);
      await app.browser.close();
    } finally {
      await profile.remove();
    }
  }, 150_000);

  test('of a duplicated tab does not overwrite what is typed in the first', async () => {
    const { app, page: a } = await start();
    // A duplicated tab begins with the first one's session storage.
    const tab = await a.evaluate<string>(`sessionStorage.getItem('field-notes.tab')`);
    await writeNote(a, { title: 'Nest', text: 'As found' });
    await a.getByLabel('What did you see?').fill('Typed in A');
    const b = await app.open('nothing.txt');
    await b.evaluate(`sessionStorage.setItem('field-notes.tab', ${JSON.stringify(tab)})`);
    await b.goto(a.url());
    await b.reload();
    await b.getByLabel('Title').waitFor();

    await b.getByLabel('What did you see?').fill('Typed in B');
    await a.reload();

    await openMark(a).getByText('Not saved yet').waitFor();
    expect(await textOf(a)).toBe('Typed in A');
  });

  test('of a note that is deleted elsewhere stays, and can be saved', async () => {
    const { app, page } = await start();
    await writeNote(page, { title: 'Nest', text: 'As found', priority: 'High' });
    await openMark(page).getByText('On the server').waitFor();
    const id = decodeURIComponent(new URL(page.url()).hash.replace('#/notes/', ''));
    await page.getByLabel('What did you see?').fill('Two metres');
    await app.push({ entityId: id, operation: 'delete', payload: null });
    await page.evaluate(`dispatchEvent(new Event('online'))`);

    await page.getByText('This note was deleted while you were writing.').waitFor();
    expect(await textOf(page)).toBe('Two metres');
    await saveButton(page).click();

    const kept = { title: 'Nest', text: 'Two metres' };
    await expect.poll(() => app.noteOnServer(id), { timeout: 20_000 }).toMatchObject(kept);
  });

  test('is spoken of at sign-out', async () => {
    const { page } = await start();
    await page.getByRole('link', { name: 'New note' }).click();
    await page.getByLabel('Title').fill('Half a thought');
    await page.getByRole('link', { name: 'Account' }).click();

    await page.getByRole('button', { name: 'Sign out' }).click();

    await page.getByText('Text that you had not saved stays here too').waitFor();
  });
});

/** Whether the browser has brought it to the files of its local storage. */
async function isOnDisk(profile: string, text: string): Promise<boolean> {
  const folder = join(profile, 'Default', 'Local Storage', 'leveldb');
  const files = (await readdir(folder)).filter((name) => /\.(log|ldb)$/.test(name));
  const contents = await Promise.all(files.map((name) => readFile(join(folder, name), 'latin1')));
  return contents.some((content) => content.includes(text));
}
