// The built app with its real server, and a Chromium that has it open.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launchBrowser, type LaunchOptions, type RunningBrowser } from 'browser-harness';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { buildApp } from '../../build/build-app.ts';
import type { FieldServerOptions } from '../../server/field-server.ts';
import { serveApp, type ServeAppOptions, type ServedApp } from '../../server/serve-app.ts';
import type { Note } from '../model/note.ts';

export interface BuiltSite {
  readonly folder: string;
  remove(): Promise<void>;
}

/** The app as `npm start` would build it, in a folder of its own. */
export async function buildSite(): Promise<BuiltSite> {
  const folder = await mkdtemp(join(tmpdir(), 'nexus-store-field-notes-'));
  await buildApp(folder);
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

export interface AppOptions extends Partial<FieldServerOptions> {
  readonly folder: string;
  readonly browser?: LaunchOptions;
}

/** Builds the site once for the tests of a `describe`. What a test starts with the answer ends with the test. */
export function appForEachTest(): (options?: Omit<AppOptions, 'folder'>) => Promise<RunningApp> {
  let site: BuiltSite | undefined;
  const started: RunningApp[] = [];
  beforeAll(async () => {
    site = await buildSite();
  });
  afterEach(async () => {
    for (const app of started.splice(0)) await app.close();
  });
  afterAll(() => site?.remove());
  return async (options = {}) => {
    if (site === undefined) throw new Error('the site is built before the first test');
    const app = await RunningApp.start({ folder: site.folder, ...options });
    started.push(app);
    return app;
  };
}

export class RunningApp {
  server: ServedApp;
  browser: RunningBrowser;
  readonly #served: ServeAppOptions;

  constructor(server: ServedApp, browser: RunningBrowser, served: ServeAppOptions) {
    this.server = server;
    this.browser = browser;
    this.#served = served;
  }

  static async start({ browser, ...options }: AppOptions): Promise<RunningApp> {
    const served = { database: ':memory:', hasSampleReports: true, port: 0, ...options };
    const server = await serveApp(served);
    return new RunningApp(server, await launchBrowser(browser), served);
  }

  /** From now on the server has another version of the app, which says so. What it stored is gone. */
  async release(): Promise<void> {
    const port = Number(new URL(this.server.url).port);
    const folder = `${this.#served.folder}-next`;
    await cp(this.#served.folder, folder, { recursive: true });
    const change = async (name: string, from: string | RegExp, to: string): Promise<void> => {
      const path = join(folder, name);
      const text = await readFile(path, 'utf8');
      if (text.search(from) === -1) throw new Error(`nothing to change in ${name}`);
      await writeFile(path, text.replace(from, to));
    };
    await change('index.html', '<html', '<html data-version="next"');
    // The name of what the worker keeps: see `shellOf`.
    await change('service-worker.js', /(version:\s*[`'"])[0-9a-f]{16}/, '$1next');
    await this.server.close();
    this.server = await serveApp({ ...this.#served, folder, port });
    await rm(folder, { recursive: true });
  }

  /** Kills the browser, and starts it anew. */
  async killBrowser(options: LaunchOptions): Promise<void> {
    await this.browser.kill();
    this.browser = await launchBrowser(options);
  }

  async open(hash = ''): Promise<Page> {
    const page = await this.browser.open(`${this.server.url}/${hash}`);
    page.setDefaultTimeout(20_000);
    return page;
  }

  /** A page with somebody signed in, and the app's own files on the device. */
  async openSignedIn(code = 'field-day'): Promise<Page> {
    const page = await this.open();
    await signIn(page, code);
    await page.evaluate('navigator.serviceWorker.ready');
    return page;
  }

  /** The titles of somebody's notes on the server, in the order in which they were changed. */
  async titlesOnServer(code = 'field-day'): Promise<readonly string[]> {
    return (await this.#notesOnServer(code)).map(({ value }) => value.title);
  }

  async noteOnServer(id: string, code = 'field-day'): Promise<Note | undefined> {
    return (await this.#notesOnServer(code)).find((row) => row.id === id)?.value;
  }

  /** As another device of the same user would. */
  async push(operation: Readonly<Record<string, unknown>>, code = 'field-day'): Promise<void> {
    const body = {
      protocol: 1,
      operations: [
        {
          id: 'other',
          idempotencyKey: crypto.randomUUID(),
          collection: 'notes',
          schemaVersion: 1,
          ...operation,
        },
      ],
    };
    const answer = await this.#ask('POST', '/v1/push', code, JSON.stringify(body));
    const { results } = (await answer.json()) as { results: readonly { status: string }[] };
    if (results[0]?.status !== 'applied') throw new Error(JSON.stringify(results));
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.server.close();
  }

  async #notesOnServer(code: string): Promise<readonly { id: string; value: Note }[]> {
    const answer = await this.#ask('GET', '/v1/pull?collection=notes', code);
    return ((await answer.json()) as { rows: { id: string; value: Note }[] }).rows;
  }

  #ask(method: string, path: string, code: string, body?: string): Promise<Response> {
    return fetch(`${this.server.url}/sync${path}`, {
      method,
      headers: { authorization: `Bearer ${code}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body }),
    });
  }
}

export async function signIn(page: Page, code: string): Promise<void> {
  await page.getByLabel('Access code').fill(code);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Notes', level: 1, exact: true }).waitFor();
}

export interface NewNote {
  readonly title: string;
  readonly site?: string;
  readonly text?: string;
  readonly priority?: 'Critical' | 'High' | 'Normal' | 'Low';
}

/** Writes a note as a person would, until it is on the device's disk. */
export async function writeNote(page: Page, note: NewNote): Promise<void> {
  await page.getByRole('link', { name: 'New note' }).click();
  await page.getByLabel('Title').fill(note.title);
  if (note.site !== undefined) await page.getByLabel('Site').fill(note.site);
  if (note.text !== undefined) await page.getByLabel('What did you see?').fill(note.text);
  if (note.priority !== undefined)
    await page.locator('.editor').getByRole('radio', { name: note.priority }).check();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByText('Saved on this device.').waitFor();
}

/** Nothing is stored or read before `letGo()`: something else writes to the same database. */
export const HOLD_THE_DISK = `new Promise((resolve) => {
  const opening = indexedDB.open('field-notes');
  opening.onsuccess = () => {
    const database = opening.result;
    const transaction = database.transaction([...database.objectStoreNames], 'readwrite');
    const store = transaction.objectStore(database.objectStoreNames[0]);
    let isHeld = true;
    globalThis.letGo = () => {
      isHeld = false;
    };
    transaction.oncomplete = () => database.close();
    const ask = () => {
      store.count().onsuccess = () => {
        resolve();
        if (isHeld) ask();
      };
    };
    ask();
  };
})`;

/** The id of the note that is open. */
export function openNoteId(page: Page): string {
  return decodeURIComponent(new URL(page.url()).hash.replace('#/notes/', ''));
}

/** The open note's own mark: all of the app may still say that nothing waits when Save has just resolved. */
export const onServer = (page: Page): Promise<void> =>
  page.locator('.detail-mark').getByText('On the server').waitFor();

/** Asks the server now what is new. */
export const lookAtServer = (page: Page): Promise<unknown> =>
  page.evaluate(`dispatchEvent(new Event('online'))`);

/** A note that was changed here and elsewhere, with the conflict open. Returns the note's id. */
export async function openConflict(app: RunningApp, page: Page): Promise<string> {
  await writeNote(page, { title: 'Nest', site: 'Hangar 3', text: 'As found', priority: 'High' });
  await onServer(page);
  const id = openNoteId(page);
  await app.browser.context.setOffline(true);
  await page.getByLabel('What did you see?').fill('Mine');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.locator('.detail-mark').getByText('Saved here').waitFor();
  const theirs = { text: 'Theirs', site: 'Hangar 4' };
  await app.push({ entityId: id, operation: 'update', patch: true, payload: theirs });
  await app.browser.context.setOffline(false);
  await page.getByRole('link', { name: 'Compare and decide' }).click();
  await page.getByRole('button', { name: 'Save this choice' }).waitFor();
  return id;
}
