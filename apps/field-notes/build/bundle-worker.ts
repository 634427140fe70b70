import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { conditions } from './conditions.ts';

/** What the service worker keeps, and under which name: both come from the build's files. */
export interface Shell {
  readonly version: string;
  /** Paths on the site. */
  readonly files: readonly string[];
}

/** Nothing is kept in development: every load asks the development server. */
export const NO_SHELL: Shell = { version: 'development', files: [] };

/** Every file of a built app, as the worker keeps it. The version changes when any of them does. */
export function shellOf(folder: string): Shell {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((file) => file.isFile())
    .map((file) => relative(folder, join(file.parentPath, file.name)).split(sep).join('/'))
    .filter((name) => name !== 'service-worker.js' && !name.startsWith('.'))
    .toSorted();
  const hash = createHash('sha256');
  for (const name of names) hash.update(`${name}\0`).update(readFileSync(join(folder, name)));
  return {
    version: hash.digest('hex').slice(0, 16),
    files: names.map((name) => (name === 'index.html' ? '/' : `/${name}`)),
  };
}

/**
 * The service worker as one classic script: browsers without module workers run it too, and an update is
 * one file to compare.
 */
export async function bundleWorker(shell: Shell, isMinified: boolean): Promise<string> {
  const result = await build({
    configFile: false,
    publicDir: false,
    logLevel: 'error',
    define: { __SHELL__: JSON.stringify(shell) },
    resolve: { conditions },
    build: {
      write: false,
      target: 'es2023',
      minify: isMinified,
      reportCompressedSize: false,
      rolldownOptions: {
        input: fileURLToPath(new URL('../src/worker/service-worker.ts', import.meta.url)),
        output: { format: 'iife', codeSplitting: false },
      },
    },
  });
  const outputs = Array.isArray(result) ? result : [result];
  for (const output of outputs) {
    if (!('output' in output)) continue;
    const chunk = output.output.find((part) => part.type === 'chunk');
    if (chunk !== undefined) return chunk.code;
  }
  throw new Error('no service worker came out of the build');
}
