/// <reference lib="webworker" />
// Keeping the app's own files: all of one version or none of it, and the next version only when people ask
// for it, because pages of two versions must not share one.

export interface Shell {
  readonly version: string;
  readonly files: readonly string[];
}

/** What a page says when its user wants the new version now. */
export const TAKE_OVER = 'field-notes:take-over';

const PREFIX = 'field-notes-shell-';

export function keepShell(scope: ServiceWorkerGlobalScope, shell: Shell): void {
  const name = PREFIX + shell.version;

  scope.addEventListener('install', (event) => {
    // Past the HTTP cache: a file of the version before would stay for as long as this one does.
    const fresh = shell.files.map((file) => new Request(file, { cache: 'reload' }));
    event.waitUntil(caches.open(name).then((cache) => cache.addAll(fresh)));
  });

  scope.addEventListener('activate', (event) => {
    event.waitUntil(removeOthers(name).then(() => scope.clients.claim()));
  });

  scope.addEventListener('message', (event) => {
    if (event.data === TAKE_OVER) event.waitUntil(scope.skipWaiting());
  });

  const files = new Set(shell.files);
  scope.addEventListener('fetch', (event) => {
    const path = shellPath(event.request, scope.location.origin);
    if (path === undefined || !files.has(path)) return;
    event.respondWith(kept(name, path, event.request));
  });
}

/** The file that answers a request; undefined for what is the server's: other methods, other origins. */
function shellPath(request: Request, origin: string): string | undefined {
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== origin) return undefined;
  return request.mode === 'navigate' ? '/' : url.pathname;
}

/** From the cache; from the network if the browser has thrown the cache away. */
async function kept(name: string, path: string, request: Request): Promise<Response> {
  const cache = await caches.open(name);
  return (await cache.match(path)) ?? (await fetch(request));
}

async function removeOthers(name: string): Promise<void> {
  const names = await caches.keys();
  const others = names.filter((other) => other.startsWith(PREFIX) && other !== name);
  await Promise.all(others.map((other) => caches.delete(other)));
}
