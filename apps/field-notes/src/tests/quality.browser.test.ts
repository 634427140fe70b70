import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describeInChromium } from 'browser-harness/vitest';
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildSite, RunningApp, signIn, writeNote, type BuiltSite } from './running-app.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly impact: string | null;
    readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
  }[];
}

/** What axe finds serious or critical on the page as it is now, in both colour schemes. */
async function seriousIssues(page: Page): Promise<readonly string[]> {
  const found: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    const { violations } = await page.evaluate<AxeResult>(
      `axe.run(document, { resultTypes: ['violations'] })`,
    );
    for (const { id, impact, nodes } of violations) {
      if (impact !== 'serious' && impact !== 'critical') continue;
      for (const { html, failureSummary } of nodes)
        found.push(`${colorScheme} ${id}: ${html.slice(0, 200)} ${failureSummary}`);
    }
  }
  return found;
}

describeInChromium('the app, as it is judged', () => {
  let site: BuiltSite;
  let app: RunningApp;
  let page: Page;
  beforeAll(async () => {
    site = await buildSite();
    app = await RunningApp.start({ folder: site.folder });
    // By the debugging protocol: the page's own policy lets no foreign script in.
    await app.browser.context.addInitScript({ content: axe });
    page = await app.open();
  });
  afterAll(async () => {
    await app?.close();
    await site?.remove();
  });

  test('can be installed by the rules of the manifest', async () => {
    await page.evaluate('navigator.serviceWorker.ready');
    await page.reload();
    const debug = await app.browser.debug(page);

    const { installabilityErrors } = await debug.send('Page.getInstallabilityErrors');
    const { data = '', errors } = await debug.send('Page.getAppManifest');

    expect(installabilityErrors).toEqual([]);
    expect(errors).toEqual([]);
    const manifest = JSON.parse(data) as {
      readonly icons: readonly {
        readonly src: string;
        readonly sizes: string;
        readonly purpose: string;
      }[];
    };
    expect(manifest).toMatchObject({ name: 'Field notes', start_url: '/', display: 'standalone' });
    const icons = manifest.icons.map(({ sizes, purpose }) => `${sizes} ${purpose}`);
    expect(icons).toEqual(
      expect.arrayContaining(['192x192 any', '512x512 any', '512x512 maskable']),
    );
    for (const { src, sizes } of manifest.icons) {
      const size = await page.evaluate<string>(
        `(async () => {
          const image = new Image();
          image.src = ${JSON.stringify(src)};
          await image.decode();
          return image.naturalWidth + 'x' + image.naturalHeight;
        })()`,
      );
      if (sizes !== 'any') expect(size).toBe(sizes);
    }
    expect(await page.evaluate('navigator.serviceWorker.controller?.scriptURL')).toBe(
      `${app.server.url}/service-worker.js`,
    );
  });

  test('has no serious barrier on any screen, in light and in dark, on a desk and on a phone', async () => {
    const found: string[] = [];
    const judge = async (name: string): Promise<void> => {
      for (const [width, height] of [
        [1440, 900],
        [390, 844],
      ] as const) {
        await page.setViewportSize({ width, height });
        found.push(...(await seriousIssues(page)).map((issue) => `${name} ${width}: ${issue}`));
      }
      await page.setViewportSize({ width: 1440, height: 900 });
    };
    const goTo = async (hash: string, heading: string): Promise<void> => {
      await page.goto(`${app.server.url}/${hash}`);
      await page.getByRole('heading', { name: heading, exact: true }).first().waitFor();
    };
    await judge('sign-in');
    await signIn(page, 'field-day');
    await judge('no notes');
    await writeNote(page, { title: 'Nest', site: 'Hangar 3', text: 'As found', priority: 'High' });
    await page.locator('.detail-mark').getByText('On the server').waitFor();
    const id = decodeURIComponent(new URL(page.url()).hash.replace('#/notes/', ''));
    await judge('note');
    await app.browser.context.setOffline(true);
    await page.getByLabel('What did you see?').fill('Mine');
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    await writeNote(page, { title: 'Fence open', priority: 'Critical' });
    await judge('offline');
    await goTo('#/sync', 'Sync');
    await judge('sync, offline');
    await app.push({ entityId: id, operation: 'update', patch: true, payload: { text: 'Theirs' } });
    await app.browser.context.setOffline(false);
    await page.getByRole('link', { name: /1 conflict, 1 refused/ }).waitFor();
    await judge('sync, to decide');
    await goTo('#/notes', 'Notes');
    await page.getByRole('link', { name: /^Fence open/ }).click();
    await page.getByText('The server refused this note.').waitFor();
    await judge('refused note');
    await page.getByRole('link', { name: /^Nest/ }).click();
    await page.getByRole('link', { name: 'Compare and decide' }).click();
    await page.getByRole('button', { name: 'Save this choice' }).waitFor();
    await judge('conflict');
    await goTo('#/reports', 'Reports');
    await page.getByText('40 reports').waitFor();
    await page.locator('.row').first().click();
    await page.getByText('Write a note about it').waitFor();
    await judge('report');
    await goTo('#/account', 'Account');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('dialog').waitFor();
    await judge('sign-out');

    expect(found).toEqual([]);
    expect(
      app.browser.complaints.filter((text) => !text.includes('ERR_INTERNET_DISCONNECTED')),
    ).toEqual([]);
  });

  test('leaves room to write beside the inspector on a phone', async () => {
    await page.getByRole('button', { name: 'Stay' }).press('Enter');
    await page.getByLabel('Show the inspector').check();
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto(`${app.server.url}/#/notes/new`);
    const inspector = page.getByRole('complementary', { name: 'Developer tools' });
    const fold = inspector.getByRole('button', { name: 'Show all of the inspector' });
    const heightOf = async (element: Locator) => (await element.boundingBox())?.height ?? 0;
    await page.getByLabel('Title').waitFor();
    expect(await fold.getAttribute('aria-expanded')).toBe('true');

    await fold.click();

    expect(await heightOf(inspector)).toBeLessThan(60);
    expect(await heightOf(page.locator('main'))).toBeGreaterThan(600);
    expect(await seriousIssues(page)).toEqual([]);

    await fold.click();

    expect(await heightOf(inspector)).toBeGreaterThan(300);
    await inspector.getByRole('button', { name: 'Hide the inspector' }).click();
    await page.setViewportSize({ width: 1440, height: 900 });
  });

  test('can be used by keyboard alone', async () => {
    await page.goto(`${app.server.url}/#/notes`);
    await page.getByRole('heading', { name: 'Notes', level: 1 }).waitFor();

    await page.keyboard.press('/');
    await page.keyboard.type('nest');
    await page.getByText('1 of 2 notes').waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');

    await page.getByRole('heading', { name: 'Note', exact: true }).waitFor();
    // Focus went with the screen.
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Note');
  });
});
