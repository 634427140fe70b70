import { describeInChromium } from 'browser-harness/vitest';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { appForEachTest, onServer, signIn, writeNote } from './running-app.ts';

const message = (page: Page) => page.getByText('Note deleted.');

async function deleteNewNote(page: Page): Promise<void> {
  await writeNote(page, { title: 'Of the field team' });
  await onServer(page);
  await page.getByRole('button', { name: 'Delete note' }).click();
  await message(page).waitFor();
}

async function signOut(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'Account' }).click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  const question = page.getByRole('dialog').getByRole('button', { name: 'Sign out' });
  const door = page.getByLabel('Access code');
  await question.or(door).first().waitFor();
  if (await question.isVisible()) await question.click();
  await door.waitFor();
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
