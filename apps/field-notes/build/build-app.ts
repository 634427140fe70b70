import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { fromConfig } from './from-config.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Where the built app lies. */
export const BUILT: string = join(root, 'dist', 'site');

/** Written last, so that a build that was cut short does not count. */
const STAMP = '.built';

export async function buildApp(folder: string = BUILT): Promise<void> {
  const before = process.env['NODE_ENV'];
  // A test that builds is in no mode that React should be in.
  process.env['NODE_ENV'] = 'production';
  try {
    await build({
      ...fromConfig,
      logLevel: 'warn',
      build: { outDir: folder, emptyOutDir: true },
    });
  } finally {
    if (before === undefined) delete process.env['NODE_ENV'];
    else process.env['NODE_ENV'] = before;
  }
  writeFileSync(join(folder, STAMP), '');
}

/** Builds unless what is there is newer than everything it was made of. */
export async function buildIfNeeded(): Promise<void> {
  const stamp = join(BUILT, STAMP);
  if (existsSync(stamp) && !isOlder(statSync(stamp).mtimeMs)) return;
  await buildApp();
}

function isOlder(builtAt: number): boolean {
  const library = dirname(fileURLToPath(import.meta.resolve('nexus-store/package.json')));
  const sources = ['build', 'public', 'src'].map((name) => join(root, name));
  const files = ['index.html', 'package.json', 'vite.config.ts'].map((name) => join(root, name));
  return (
    [...sources, join(library, 'src')].some((folder) => isFolderNewer(folder, builtAt)) ||
    files.some((file) => statSync(file).mtimeMs > builtAt)
  );
}

function isFolderNewer(folder: string, than: number): boolean {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).some(
    // A folder's own time tells of files that were taken away.
    (entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs > than,
  );
}
