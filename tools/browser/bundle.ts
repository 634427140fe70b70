import { fileURLToPath } from 'node:url';
import { build } from 'vite';

export interface BundleOptions {
  /**
   * `es` for pages and module workers, `iife` for classic workers.
   *
   * @defaultValue `'es'`
   */
  readonly format?: 'es' | 'iife';
  /** @defaultValue `false` */
  readonly minify?: boolean;
  /**
   * What `process.env.NODE_ENV` is replaced by.
   *
   * @defaultValue `'production'`
   */
  readonly mode?: 'production' | 'development';
}

/**
 * One self-contained script for the browser of a TypeScript (or TSX) file and all it imports. Packages of
 * this workspace are taken from their sources, as in the tests, never from an older `dist`.
 */
export async function bundleForBrowser(
  entry: URL | string,
  options: BundleOptions = {},
): Promise<string> {
  const input = entry instanceof URL ? fileURLToPath(entry) : entry;
  const result = await build({
    configFile: false,
    envFile: false,
    publicDir: false,
    logLevel: 'error',
    mode: options.mode ?? 'production',
    define: { 'process.env.NODE_ENV': JSON.stringify(options.mode ?? 'production') },
    resolve: { conditions: ['nexus-source', 'module', 'browser', 'import', 'default'] },
    build: {
      write: false,
      target: 'es2023',
      minify: options.minify ?? false,
      modulePreload: false,
      reportCompressedSize: false,
      rolldownOptions: {
        input,
        output: { format: options.format ?? 'es', codeSplitting: false },
        // A page that only has effects exports nothing; one that exports is imported by the test.
        preserveEntrySignatures: 'strict',
      },
    },
  });
  const outputs = Array.isArray(result) ? result : [result];
  for (const output of outputs) {
    if (!('output' in output)) continue;
    const chunk = output.output.find((part) => part.type === 'chunk');
    if (chunk !== undefined) return chunk.code;
  }
  throw new Error(`no script came out of ${input}`);
}
