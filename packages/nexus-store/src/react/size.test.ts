import { gzipSync } from 'node:zlib';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { expect, test } from 'vitest';

const BUDGET_BYTES = 2 * 1024;

/** Minified and compressed, with everything it imports except React. */
async function sizeOf(code: string): Promise<number> {
  const entry = fileURLToPath(new URL('size-entry.ts', import.meta.url));
  const output = await build({
    configFile: false,
    envFile: false,
    publicDir: false,
    logLevel: 'error',
    define: { 'process.env.NODE_ENV': '"production"' },
    resolve: { conditions: ['nexus-source', 'module', 'browser', 'import', 'default'] },
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === entry ? id : undefined),
        load: (id) => (id === entry ? code : undefined),
      },
    ],
    build: {
      write: false,
      target: 'es2023',
      minify: true,
      modulePreload: false,
      reportCompressedSize: false,
      rolldownOptions: {
        input: entry,
        external: ['react'],
        output: { format: 'es', codeSplitting: false },
        preserveEntrySignatures: 'strict',
      },
    },
  });
  const chunks = [output].flat().flatMap((result) => ('output' in result ? result.output : []));
  const [chunk] = chunks.filter((part) => part.type === 'chunk');
  if (chunk === undefined) throw new Error('no script came out');
  return gzipSync(chunk.code, { level: 9 }).length;
}

test('the hooks add at most 2 KiB to the core', async () => {
  const core = "export { createBackend, NexusStore, defineBackgroundSync } from '../index.ts';";

  const alone = await sizeOf(core);
  const together = await sizeOf(`${core} export * from './index.ts';`);

  expect(together).toBeGreaterThan(alone);
  expect(together - alone).toBeLessThanOrEqual(BUDGET_BYTES);
}, 60_000);
