/**
 * Runs suites of tests inside a page, as tests of vitest: the suites of `nexus-store/testing` over what
 * only a browser has.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chromiumPath } from './chromium.ts';
import { launchBrowser } from './launch.ts';
import type { PageTests } from './page-tests.ts';
import { scriptIn } from './script-in.ts';
import type { ScriptFunctions } from './script-in.ts';
import { startSite } from './site.ts';
import type { SiteOptions } from './site.ts';

/** Whether `*.browser.test.ts` can run here; without a Chromium they are counted as skipped. */
export const hasChromium: boolean = chromiumPath() !== undefined;

/** `describe` for tests that need a browser: skipped, and counted so, where there is none. */
export const describeInChromium: typeof describe = (
  hasChromium ? describe : describe.skip
) as typeof describe;

/**
 * Runs every test that a page collects with `collectTests` (`browser-harness/page`) as one of vitest. To
 * be awaited at the top level of a `*.browser.test.ts`: the names are the page's to tell.
 *
 * @param entry a script that is `export const { names, run } = collectTests(({ describe, test, expect }) => { ... })`
 */
export async function runPageTests(
  name: string,
  entry: URL,
  site: SiteOptions = {},
): Promise<void> {
  if (!hasChromium) {
    test.skip(`${name} (no Chromium)`, () => undefined);
    return;
  }
  const names = await namesOf(entry, site);
  describe(name, () => {
    let running: PageWithTests | undefined;
    beforeAll(async () => void (running = await openPage(entry, site)));
    afterAll(async () => await running?.close());
    for (const [index, title] of names.entries()) {
      test(title, { timeout: 60_000 }, async () => {
        const failure = await running?.tests.run(index);
        if (failure !== undefined) expect.fail(failure);
      });
    }
  });
}

async function namesOf(entry: URL, site: SiteOptions): Promise<readonly string[]> {
  const { tests, close } = await openPage(entry, site);
  try {
    return await tests.names();
  } finally {
    await close();
  }
}

interface PageWithTests {
  readonly tests: ScriptFunctions<PageTests>;
  readonly close: () => Promise<void>;
}

async function openPage(entry: URL, options: SiteOptions): Promise<PageWithTests> {
  const scripts = { ...options.scripts, '/tests.js': entry };
  const site = await startSite({ ...options, scripts });
  const browser = await launchBrowser();
  const page = await browser.open(site.pageUrl());
  const close = async (): Promise<void> => {
    await browser.close();
    await site.close();
  };
  return { tests: scriptIn<PageTests>(page, '/tests.js'), close };
}
