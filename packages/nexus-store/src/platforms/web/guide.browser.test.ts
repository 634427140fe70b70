// What docs/guides/web.md shows, as it stands there, in a browser.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  bundleForBrowser,
  launchBrowser,
  scriptIn,
  startSite,
  type RunningBrowser,
  type ScriptFunctions,
  type Site,
} from 'browser-harness';
import { describeInChromium } from 'browser-harness/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../../../../..');
const GUIDE = readFileSync(join(ROOT, 'docs/guides/web.md'), 'utf8');

interface Note {
  readonly id: string;
  readonly text: string;
  readonly done: boolean;
}

/** What the tests do in the app of the guide. */
interface App {
  save(note: Note): Promise<void>;
  patch(id: string, fields: Partial<Note>): Promise<void>;
  sync(): Promise<string>;
  look(id: string): Promise<Note | undefined>;
}

const HANDLES = `
  import { background } from './main.ts';
  import { backend, notes } from './field.ts';
  export const save = async (note) => void (await notes.save(note));
  export const patch = async (id, fields) => void (await notes.patch(id, fields));
  export const sync = async () => (await backend.sync()).stoppedBy;
  export const look = async (id) => {
    await backend.fetch('notes');
    return notes.get(id);
  };
  await background.ready;
`;

/** The block that begins with the name of this file. */
function sample(file: string): string {
  const [, code = ''] =
    new RegExp(`^\`\`\`ts no-run\\n(// ${file}[\\s\\S]*?)^\`\`\``, 'm').exec(GUIDE) ?? [];
  return code
    .replace('https://api.example.com/sync', '/sync')
    .replace('headers: authorization', 'events: false');
}

describeInChromium('the samples of the guide', () => {
  const scripts = { page: '', worker: '' };
  let device: RunningBrowser;
  let site: Site;

  beforeAll(async () => {
    // Where packages are found as an app finds them.
    const cache = join(ROOT, 'node_modules/.cache');
    mkdirSync(cache, { recursive: true });
    const folder = mkdtempSync(join(cache, 'guide-'));
    for (const file of ['field.ts', 'main.ts', 'sw.ts'])
      writeFileSync(join(folder, file), sample(file));
    writeFileSync(join(folder, 'app.ts'), HANDLES);
    scripts.page = await bundleForBrowser(join(folder, 'app.ts'));
    scripts.worker = await bundleForBrowser(join(folder, 'sw.ts'), { format: 'iife' });
    rmSync(folder, { recursive: true });
    device = await launchBrowser();
  });
  afterAll(() => device?.close());
  beforeEach(async () => {
    site = await startSite({ files: { '/page.js': scripts.page } });
  });
  afterEach(() => site.close());

  async function openApp(browser: RunningBrowser): Promise<ScriptFunctions<App>> {
    return scriptIn<App>(await browser.open(site.pageUrl('/page.js')), '/page.js');
  }

  test('merge in the worker, with no page open, what two devices have changed', async () => {
    site.put('/sw.js', { type: 'text/javascript', body: scripts.worker });
    const app = await openApp(device);
    const [page] = device.context.pages().slice(-1);
    await page?.evaluate('navigator.serviceWorker.ready.then(() => {})');
    await app.save({ id: 'a', text: 'one', done: false });
    await app.sync();
    await device.context.setOffline(true);
    await app.patch('a', { text: 'ours' });
    const other = await launchBrowser();
    const there = await openApp(other);
    await there.look('a');
    await there.patch('a', { done: true });
    await there.sync();

    await device.context.newPage();
    await page?.close();
    await device.context.setOffline(false);
    await site.sync.until(async (server) => (await server.arrivals()).length === 3);
    const merged = await there.look('a');
    await other.close();

    expect(merged).toEqual({ id: 'a', text: 'ours', done: true });
  });

  test.each([
    ['the script of the worker is missing', ''],
    ['there are no service workers', 'delete Navigator.prototype.serviceWorker;'],
  ])('work without the worker where %s', async (_, init) => {
    const page = await device.context.newPage();
    await page.addInitScript(init);
    await page.goto(site.pageUrl('/page.js'));
    const app = scriptIn<App>(page, '/page.js');

    await app.save({ id: 'b', text: 'alone', done: false });
    const ended = await app.sync();

    expect([ended, (await site.sync.arrivals()).length]).toEqual(['drained', 1]);
  });
});
