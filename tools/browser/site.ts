import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname } from 'node:path';
import { bundleForBrowser } from './bundle.ts';
import type { BundleOptions } from './bundle.ts';
import { SyncServer } from './sync-server.ts';
import type { SyncServerOptions } from './sync-server.ts';

export interface SiteFile {
  readonly type: string;
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface SiteOptions {
  /** TypeScript entries by the path they are served at, such as `/page.js`; each is bundled alone. */
  readonly scripts?: Readonly<Record<string, URL | (BundleOptions & { readonly entry: URL })>>;
  /** Further files by path; a text's type follows from the path's extension. */
  readonly files?: Readonly<Record<string, string | SiteFile>>;
  /** Asked for what no file and no script answers; undefined means not found. */
  readonly fallback?: (path: string) => SiteFile | undefined | Promise<SiteFile | undefined>;
  /** The same port means the same origin, so that a profile finds its storage again. @defaultValue a free one */
  readonly port?: number;
  readonly sync?: SyncServerOptions;
}

/** A site on loopback, which browsers trust like HTTPS: service workers and IndexedDB work. */
export interface Site {
  /** `http://127.0.0.1:<port>` */
  readonly origin: string;
  readonly port: number;
  /** What `httpRemote` in a page takes as `url`: the server behind it is `sync`. */
  readonly syncUrl: string;
  readonly sync: SyncServer;
  /** An empty page that runs these scripts as modules. */
  pageUrl(...scripts: readonly string[]): string;
  /** Adds or replaces a file while the site is up, as a deployment does. */
  put(path: string, file: string | SiteFile): void;
  /** Bundles an entry and puts it there. */
  putScript(path: string, entry: URL, options?: BundleOptions): Promise<void>;
  close(): Promise<void>;
}

const TYPES: Readonly<Record<string, string>> = {
  '': 'text/html',
  '.css': 'text/css',
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.webmanifest': 'application/manifest+json',
};
const SYNC_PATH = '/sync/';

export async function startSite(options: SiteOptions = {}): Promise<Site> {
  const files = new Map<string, SiteFile>();
  const put = (path: string, file: string | SiteFile): void => {
    files.set(path, typeof file === 'string' ? textFile(path, file) : file);
  };
  const putScript: Site['putScript'] = async (path, entry, bundleOptions) => {
    put(path, await bundleForBrowser(entry, bundleOptions));
  };
  for (const [path, script] of Object.entries(options.scripts ?? {})) {
    await (script instanceof URL ? putScript(path, script) : putScript(path, script.entry, script));
  }
  for (const [path, file] of Object.entries(options.files ?? {})) put(path, file);

  const sync = new SyncServer(options.sync);
  const find = async (path: string): Promise<SiteFile | undefined> =>
    files.get(path) ?? (await options.fallback?.(path));
  const server = createServer((message, response) => {
    answer({ sync, find }, message, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : new Error(String(error)));
    });
  });
  const port = await listen(server, options.port ?? 0);
  const origin = `http://127.0.0.1:${port}`;
  return {
    origin,
    port,
    syncUrl: `${origin}${SYNC_PATH.slice(0, -1)}`,
    sync,
    pageUrl: (...scripts) => {
      const query = new URLSearchParams(scripts.map((script) => ['script', script]));
      return `${origin}/?${query}`;
    },
    put,
    putScript,
    close: async () => {
      await sync.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Answerer {
  readonly sync: SyncServer;
  readonly find: (path: string) => Promise<SiteFile | undefined>;
}

async function answer(
  { sync, find }: Answerer,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(message.url ?? '/', 'http://site');
  if (url.pathname.startsWith(SYNC_PATH)) return await sync.serve(message, response);
  const scripts = url.searchParams.getAll('script');
  const file =
    (await find(url.pathname)) ?? (url.pathname === '/' ? emptyPage(scripts) : undefined);
  if (file === undefined) {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('not found');
    return;
  }
  response.writeHead(200, {
    'content-type': `${file.type}; charset=utf-8`,
    // Every load is a fresh one; workers may control the whole site wherever their script lies.
    'cache-control': 'no-store',
    'service-worker-allowed': '/',
    // A page without an origin of its own (sandboxed) loads its scripts as from another site.
    'access-control-allow-origin': '*',
    ...file.headers,
  });
  response.end(file.body);
}

function emptyPage(scripts: readonly string[]): SiteFile {
  const tags = scripts.map((src) => `<script type="module" src="${encodeURI(src)}"></script>`);
  // Without an icon of its own a page asks for one, and the 404 shows up as an error.
  const body = `<!doctype html><html lang="en"><meta charset="utf-8"><title>test</title><link rel="icon" href="data:,">${tags.join('')}</html>`;
  return { type: 'text/html', body };
}

function textFile(path: string, body: string): SiteFile {
  return { type: TYPES[extname(path)] ?? 'text/plain', body };
}

async function listen(server: Server, port: number): Promise<number> {
  return await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}
