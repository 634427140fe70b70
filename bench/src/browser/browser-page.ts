import { ensureChromium, launchBrowser, scriptIn, startSite } from 'browser-harness';
import type { Page, RunningBrowser, ScriptFunctions, Site } from 'browser-harness';

type Ours = typeof import('./ours.page.ts');
type Raw = typeof import('./raw.page.ts');

/** A page of a browser with a profile on disk, in which ours and raw are measured in turn. */
export interface BrowserPage {
  readonly ours: ScriptFunctions<Ours>;
  readonly raw: ScriptFunctions<Raw>;
  readonly page: Page;
  /** What a page's `fetch` reaches: takes everything after this round trip, and keeps nothing. */
  readonly serverUrl: string;
  close(): Promise<void>;
}

const CONTENT_TYPE = 'application/vnd.nexus-store.v1+json';

export interface BrowserPageOptions {
  readonly roundTripMs?: number;
  /** More scripts by path. */
  readonly scripts?: Readonly<Record<string, URL>>;
}

/** @throws Error where there is no Chromium and none can be installed */
export async function openBrowserPage(options: BrowserPageOptions = {}): Promise<BrowserPage> {
  const { missing } = ensureChromium();
  if (missing !== undefined) throw new Error(`the browser's part needs a Chromium: ${missing}`);
  const site = await startSite({
    scripts: {
      '/ours.js': new URL('./ours.page.ts', import.meta.url),
      '/raw.js': new URL('./raw.page.ts', import.meta.url),
      ...options.scripts,
    },
  });
  site.sync.delayMs = options.roundTripMs ?? 0;
  site.sync.intercept = takeEverything;
  const browser = await launchBrowser();
  return await openPage(site, browser);
}

async function openPage(site: Site, browser: RunningBrowser): Promise<BrowserPage> {
  const page = await browser.open(site.pageUrl());
  return {
    page,
    ours: scriptIn<Ours>(page, '/ours.js'),
    raw: scriptIn<Raw>(page, '/raw.js'),
    serverUrl: site.syncUrl,
    close: async () => {
      await browser.close();
      await site.close();
    },
  };
}

async function takeEverything(request: Request): Promise<Response> {
  const { operations } = (await request.json()) as { operations: readonly { id: string }[] };
  const results = operations.map(({ id }) => ({ id, status: 'applied', version: '1' }));
  return new Response(JSON.stringify({ protocol: 1, results }), {
    headers: { 'content-type': CONTENT_TYPE },
  });
}
