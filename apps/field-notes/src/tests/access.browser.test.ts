import { describeInChromium } from 'browser-harness/vitest';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { appForEachTest, onServer, openConflict, writeNote } from './running-app.ts';

const focused = (page: Page): Promise<string> =>
  page.evaluate(`document.activeElement.tagName + ' ' + document.activeElement.textContent`);

/** What of a page that is to fit its width cannot be seen: beside it, or below something else. */
const UNSEEN = `[
  ...(document.documentElement.scrollWidth > innerWidth ? ['the page scrolls sideways'] : []),
  ...[...document.querySelectorAll('a, button, input, textarea, h1, h2, p, dt, dd, .mark, .chip')]
    .filter((element) => element.checkVisibility() && element.closest('.hidden, .skip') === null)
    .map((element) => ({ element, box: element.getBoundingClientRect() }))
    .filter(({ element, box }) => {
      if (box.width <= 1 || box.height <= 1) return false;
      if (box.left < -1 || box.right > innerWidth + 1) return true;
      // In a field more may stand than it shows.
      const isShownWhole =
        element.tagName !== 'INPUT' && getComputedStyle(element).display !== 'inline';
      return isShownWhole && element.scrollWidth > element.clientWidth + 1;
    })
    .map(({ element }) => element.tagName + ' ' + element.textContent.slice(0, 40)),
]`;

/** Small fields and buttons that a message lies over; a long text may lie under it, as it goes on behind others. */
const COVERED = `(() => {
  const toast = document.querySelector('.toast').getBoundingClientRect();
  return [...document.querySelectorAll('main :is(input, .actions button), .inspector button')]
    .filter((element) => element.checkVisibility() && element.closest('.list, .chips, .file') === null)
    .filter((element) => {
      const box = element.getBoundingClientRect();
      const part = element.closest('main, .inspector').getBoundingClientRect();
      const [top, bottom] = [Math.max(box.top, part.top), Math.min(box.bottom, part.bottom)];
      const isBeside = box.left >= toast.right || box.right <= toast.left;
      return !isBeside && Math.max(top, toast.top) < Math.min(bottom, toast.bottom);
    })
    .map((element) => element.textContent || element.labels?.[0]?.textContent || element.tagName);
})()`;

const SIZES = [
  [640, 320],
  [390, 844],
  [1440, 900],
] as const;

interface Look {
  readonly background: string;
  readonly border: string;
}

const lookOf = (page: Page, selector: string): Promise<Look> =>
  page
    .locator(selector)
    .first()
    .evaluate((element) => {
      const { backgroundColor, borderTopWidth, borderTopStyle } = getComputedStyle(element);
      return { background: backgroundColor, border: `${borderTopWidth} ${borderTopStyle}` };
    });

describeInChromium('the app, for everybody', () => {
  const start = appForEachTest();

  test('tells chosen from not chosen also in forced colours', async () => {
    const app = await start();
    const page = await app.openSignedIn();
    await writeNote(page, { title: 'Nest', priority: 'High' });
    await writeNote(page, { title: 'Fence open', text: 'Gate 14', priority: 'Low' });
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ forcedColors: 'active', colorScheme, reducedMotion: 'reduce' });
      for (const [chosen, other] of [
        ['.editor .choice:has(:checked) span', '.editor .choice:not(:has(:checked)) span'],
        ['.list .choice:has(:checked) span', '.list .choice:not(:has(:checked)) span'],
        ['.places a[aria-current]', '.places a:not([aria-current])'],
        ['.row[aria-current]', '.row:not([aria-current])'],
      ] as const) {
        const [a, b] = [await lookOf(page, chosen), await lookOf(page, other)];
        expect(a.background, `${colorScheme} ${chosen}`).not.toBe(b.background);
      }
      expect((await lookOf(page, '.row:not([aria-current]) .chip')).border).toBe('1px solid');
    }
  });

  test('can be read and used with text twice as large, on a phone', async () => {
    const app = await start();
    const page = await app.openSignedIn();
    await page.setViewportSize({ width: 390, height: 844 });
    await openConflict(app, page);
    const addresses = [
      new URL(page.url()).hash,
      '#/notes',
      '#/notes/new',
      '#/reports',
      '#/sync',
      '#/account',
    ];
    // Something with a button is said above all of them.
    await page.goto(`${app.server.url}/#/account`);
    await page.getByLabel('Show the inspector').check();
    await page.getByRole('radio', { name: 'Slow' }).check();
    await page.getByRole('button', { name: 'Hide the inspector' }).click();
    await page.getByRole('button', { name: 'Switch back' }).waitFor();
    const unseen: string[] = [];
    for (const hash of addresses) {
      await page.goto(`${app.server.url}/${hash}`);
      await page.evaluate(`document.documentElement.style.fontSize = '200%'`);
      await page.locator('main h1:visible').first().waitFor();
      if (hash === '#/reports') await page.locator('.row').first().waitFor();
      const found = await page.evaluate<readonly string[]>(UNSEEN);
      unseen.push(...found.map((what) => `${hash}: ${what}`));
    }
    expect(unseen).toEqual([]);

    await page.goto(`${app.server.url}/#/notes`);
    const head = await page.getByRole('link', { name: 'New note' }).boundingBox();
    const search = await page.getByRole('searchbox').boundingBox();
    expect((head?.y ?? Infinity) + (head?.height ?? 0)).toBeLessThan(search?.y ?? 0);
  });

  test('leaves the focus where somebody works', async () => {
    const app = await start();
    const page = await app.open();
    await page.getByLabel('Access code').fill('nobody');
    await page.getByRole('button', { name: 'Sign in' }).press('Enter');
    await page.getByText('does not know this access code').waitFor();
    expect(await focused(page)).toBe('BUTTON Sign in');

    await page.getByLabel('Access code').fill('field-day');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Notes', level: 1, exact: true }).waitFor();
    expect(await focused(page)).toBe('H1 Notes');

    await page.getByRole('link', { name: 'New note' }).press('Enter');
    await page.getByLabel('Title').fill('Nest');
    await page.getByRole('button', { name: 'Save', exact: true }).press('Enter');
    await onServer(page);
    expect(await focused(page)).toBe('BUTTON Save');
    // It is there, and there is nothing to do for it.
    await page.keyboard.press('Enter');
    expect(await focused(page)).toBe('BUTTON Save');

    await page.getByLabel('Site').fill('Hangar 3');
    await page.getByRole('button', { name: 'Undo changes' }).press('Enter');
    await expect.poll(() => focused(page)).toBe('H1 Note');
  });

  test('takes whoever uses the keyboard to the part that is in sight on a phone', async () => {
    const app = await start();
    const page = await app.openSignedIn();
    await page.setViewportSize({ width: 390, height: 844 });
    await writeNote(page, { title: 'Nest' });
    await page.getByRole('button', { name: 'Close message' }).press('Enter');
    await expect.poll(() => focused(page)).toBe('H1 Note');

    await page.getByLabel('Title').focus();
    await page.getByRole('link', { name: 'Skip to content' }).press('Enter');
    expect(await focused(page)).toBe('H1 Note');

    await page.getByRole('link', { name: 'Notes', exact: true }).first().press('Enter');
    await page.getByRole('searchbox').waitFor();
    await page.getByRole('link', { name: 'Skip to content' }).press('Enter');
    expect(await focused(page)).toBe('H1 Notes');
  });

  test('goes to the search by / also from a filter', async () => {
    const app = await start();
    const page = await app.openSignedIn();
    await page.getByRole('radio', { name: 'Not sent yet' }).check();
    await page.keyboard.press('/');

    expect(await page.evaluate('document.activeElement.type')).toBe('search');
    await page.keyboard.type('a/b');
    expect(await page.getByRole('searchbox').inputValue()).toBe('a/b');
  });

  test('speaks beside what is written and pressed, however small the screen', async () => {
    const app = await start();
    const page = await app.openSignedIn();
    const covered: string[] = [];
    for (const inspector of ['hidden', 'folded', 'shown'] as const) {
      await page.goto(`${app.server.url}/#/account`);
      await page.getByLabel('Show the inspector').setChecked(inspector !== 'hidden');
      const fold = page.getByRole('button', { name: 'Show all of the inspector' });
      if (inspector !== 'hidden') {
        const isFolded = (await fold.getAttribute('aria-expanded')) === 'false';
        if (isFolded !== (inspector === 'folded')) await fold.click();
      }
      await page.goto(`${app.server.url}/#/notes/new`);
      for (const [width, height] of SIZES) {
        await page.setViewportSize({ width, height });
        await page.getByLabel('Title').fill(`Nest ${width} ${inspector}`);
        await page.keyboard.press('Control+Enter');
        await page.getByText('Saved on this device.').waitFor();
        const found = await page.evaluate<readonly string[]>(COVERED);
        covered.push(...found.map((what) => `${width}x${height} ${inspector}: ${what}`));
        await page.getByRole('button', { name: 'Close message' }).click();
      }
    }
    expect(covered).toEqual([]);
  });
});
