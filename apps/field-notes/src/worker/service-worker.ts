/// <reference lib="webworker" />
// The service worker: it keeps the app's own files, so that the app starts without a network, and it sends
// what waits while no page is open.
import { serveBackgroundSync } from 'nexus-store/web/worker';
import { openField } from '../field.ts';
import { keepShell } from './shell.ts';

/** Filled in by the build: see `build/bundle-worker.ts`. */
declare const __SHELL__: { readonly version: string; readonly files: readonly string[] };

keepShell(self as unknown as ServiceWorkerGlobalScope, __SHELL__);

serveBackgroundSync({
  open: () => openField().backend,
  badge: true,
});
