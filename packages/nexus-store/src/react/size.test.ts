import { gzipSync } from 'node:zlib';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { expect, test } from 'vitest';

const BUDGET_BYTES = 2 * 1024;

interface Chunk {
  readonly fileName: string;
  readonly isEntry: boolean;
  readonly code: string;
  readonly imports: readonly string[];
}

/** The scripts of an app, minified, with everything it imports except React. */
async function bundle(code: string, isSplit = false): Promise<readonly Chunk[]> {
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
        output: { format: 'es', codeSplitting: isSplit },
        preserveEntrySignatures: 'strict',
      },
    },
  });
  const chunks = [output].flat().flatMap((result) => ('output' in result ? result.output : []));
  return chunks.filter((part) => part.type === 'chunk');
}

/** Compressed, as one script. */
async function sizeOf(code: string): Promise<number> {
  const [chunk] = await bundle(code);
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

test.each([
  ['react/inspector/index.ts', 'NexusInspector'],
  ['react/inspector/vanilla.ts', 'mountInspector'],
])(
  'an app that wraps its remote loads the view of %s later, not when it starts',
  async (view, name) => {
    const chunks = await bundle(
      `
    export { inspectable } from './inspector/inspectable.ts';
    export const load = async () => (await import('../${view}')).${name};
    `,
      true,
    );

    const begun = new Set(chunks.filter(({ isEntry }) => isEntry));
    // Sets take what is added while they are gone through.
    for (const { imports } of begun)
      for (const chunk of chunks) if (imports.includes(chunk.fileName)) begun.add(chunk);
    const hasView = ({ code }: Chunk): boolean => code.includes('attachShadow');
    expect(chunks.filter(hasView)).toHaveLength(1);
    expect([...begun].filter(hasView)).toEqual([]);
  },
  60_000,
);
