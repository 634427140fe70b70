import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Plugin } from 'vite';
import { bundleWorker, NO_SHELL, shellOf } from './bundle-worker.ts';

const PATH = '/service-worker.js';

/** Puts the service worker beside the built app, with the list of what it keeps; serves it in development. */
export function serviceWorker(): Plugin {
  let folder = '';
  return {
    name: 'field-notes:service-worker',
    configResolved: ({ root, build }) => {
      folder = resolve(root, build.outDir);
    },
    configureServer: (server) => {
      server.middlewares.use(PATH, (_, response, next) => {
        bundleWorker(NO_SHELL, false).then((code) => {
          response.setHeader('content-type', 'text/javascript');
          response.setHeader('cache-control', 'no-store');
          response.end(code);
        }, next);
      });
    },
    closeBundle: {
      order: 'post',
      sequential: true,
      async handler() {
        if (this.environment.config.command !== 'build') return;
        writeFileSync(join(folder, PATH), await bundleWorker(shellOf(folder), true));
      },
    },
  };
}
