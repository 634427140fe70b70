import { describeInChromium } from 'browser-harness/vitest';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { appForEachTest, HOLD_THE_DISK, lookAtServer, openConflict } from './running-app.ts';

const sideOf = (page: Page, field: string, side: 'Mine' | 'Theirs') =>
  page.getByRole('group', { name: field }).getByRole('radio', { name: side });

describeInChromium('an open conflict', () => {
  const start = appForEachTest();

  test('shows what the server has by now, and keeps no choice between other sides', async () => {
    const app = await start({ hasSampleReports: false });
    const page = await app.openSignedIn();
    const id = await openConflict(app, page);
    await sideOf(page, 'What did you see?', 'Theirs').check();
    await sideOf(page, 'Site', 'Mine').check();
    const payload = { text: 'Theirs, later' };
    await app.push({ entityId: id, operation: 'update', patch: true, payload });

    await lookAtServer(page);

    await page.getByText('Theirs, later').waitFor();
    await page.getByText('This was changed on the server meanwhile; look again.').waitFor();
    expect(await sideOf(page, 'What did you see?', 'Mine').isChecked()).toBe(true);
    expect(await sideOf(page, 'Site', 'Mine').isChecked()).toBe(true);

    await sideOf(page, 'What did you see?', 'Theirs').check();
    await page.getByRole('button', { name: 'Save this choice' }).click();
    const decided = { text: 'Theirs, later', site: 'Hangar 3' };
    await expect.poll(() => app.noteOnServer(id), { timeout: 20_000 }).toMatchObject(decided);
  });

  test('is not decided by a click that was meant for the sides before', async () => {
    const app = await start({ hasSampleReports: false });
    const page = await app.openSignedIn();
    const id = await openConflict(app, page);
    // As soon as the new side is there, before anybody can have read it.
    const clicked = page.evaluate(`new Promise((resolve) => {
      const watch = new MutationObserver(() => {
        if (!document.body.textContent.includes('Theirs, later')) return;
        watch.disconnect();
        [...document.querySelectorAll('button')].find((button) => button.textContent === 'All mine').click();
        resolve();
      });
      watch.observe(document.body, { subtree: true, childList: true, characterData: true });
    })`);
    const payload = { text: 'Theirs, later' };
    await app.push({ entityId: id, operation: 'update', patch: true, payload });
    await lookAtServer(page);
    await clicked;

    await page.getByText('This was changed on the server meanwhile; look again.').waitFor();
    // Playwright waits until the button is enabled.
    await page.getByRole('button', { name: 'All theirs' }).click();
    await page.getByText('Decided. Their version stays.').waitFor();
    expect(await app.noteOnServer(id)).toMatchObject({ text: 'Theirs, later' });
  });

  test('is decided once: who comes second is told', async () => {
    const app = await start({ hasSampleReports: false });
    const a = await app.openSignedIn();
    const id = await openConflict(app, a);
    const b = await app.open(new URL(a.url()).hash);
    await b.getByRole('button', { name: 'All mine' }).waitFor();
    await a.evaluate(HOLD_THE_DISK);
    await a.getByRole('button', { name: 'All theirs' }).click();
    await b.getByRole('button', { name: 'All mine' }).click();

    await a.evaluate('letGo()');

    const said = (page: Page, text: string | RegExp) => page.getByText(text);
    const elsewhere = 'This was decided elsewhere';
    const [first, second] = await Promise.race([
      said(a, elsewhere)
        .waitFor()
        .then(() => [b, a] as const),
      said(b, elsewhere)
        .waitFor()
        .then(() => [a, b] as const),
    ]);
    await said(first, /^Decided\./).waitFor();
    expect(await second.getByText(/^Decided\./).count()).toBe(0);
    const text = first === a ? 'Theirs' : 'Mine';
    await expect.poll(() => app.noteOnServer(id), { timeout: 20_000 }).toMatchObject({ text });
  });
});
