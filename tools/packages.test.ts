// What npm shows and installs of each package that is published.
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly description?: string;
  readonly keywords?: readonly string[];
  readonly license?: string;
  readonly files?: readonly string[];
  readonly sideEffects?: boolean | readonly string[];
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly engines?: { readonly node?: string };
}

const root = join(import.meta.dirname, '..');
const published = globSync('packages/*/package.json', { cwd: root })
  .map((path) => {
    const manifest = JSON.parse(readFileSync(join(root, path), 'utf8')) as Manifest;
    return { folder: join(root, dirname(path)), manifest };
  })
  .filter(({ manifest }) => manifest.private !== true);

test('four packages are published', () => {
  expect(published.map(({ manifest }) => manifest.name).toSorted()).toEqual([
    '@nexus-store/cli',
    '@nexus-store/react-native',
    '@nexus-store/server',
    'nexus-store',
  ]);
});

test('every entry is imported where the published types are compiled', () => {
  const entries = published.flatMap(({ manifest }) =>
    Object.entries(manifest.exports ?? {})
      .filter(([, target]) => typeof target !== 'string')
      .map(([entry]) => manifest.name + entry.slice(1)),
  );
  const consumer = readFileSync(join(root, 'tools/published-types/consumer.ts'), 'utf8');

  const imported = [...consumer.matchAll(/ from '([^']+)';/g)].map(([, name = '']) => name);

  expect(imported.toSorted()).toEqual(entries.toSorted());
});

test('what needs a browser for React says so first, also when it is built', () => {
  const { folder } = published.find(({ manifest }) => manifest.name === 'nexus-store') ?? {};
  const entries = ['react/index', 'react/inspector/index'];
  const temporary = mkdtempSync(join(root, 'node_modules/.built-'));
  // As the build compiles them, but these two alone: what they import is looked at by nobody here.
  writeFileSync(
    join(temporary, 'tsconfig.json'),
    JSON.stringify({
      extends: join(root, 'tsconfig.library.json'),
      compilerOptions: {
        composite: false,
        declaration: false,
        declarationMap: false,
        isolatedDeclarations: false,
        noCheck: true,
        noResolve: true,
        rootDir: join(folder ?? '', 'src'),
        outDir: temporary,
      },
      files: entries.map((entry) => join(folder ?? '', 'src', `${entry}.ts`)),
    }),
  );
  try {
    const compiler = join(root, 'node_modules/.bin/tsc');
    const { stdout } = spawnSync(compiler, ['-p', temporary], {
      encoding: 'utf8',
      shell: process.platform === 'win32',
    });

    expect(stdout).toBe('');
    for (const entry of entries) {
      const built = readFileSync(join(temporary, `${entry}.js`), 'utf8');
      // Servers that render components take what follows for the browser's, and import none of it.
      expect(built).toMatch(/^'use client';\n/);
      // Of these they cannot tell the names without importing it.
      expect(built).not.toContain('export *');
    }
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
});

describe.each(published.map((one) => [one.manifest.name, one] as const))(
  '%s',
  (_name, { folder, manifest }) => {
    test('says what it is, for whom, and under what licence', () => {
      expect(manifest).toMatchObject({
        description: expect.stringMatching(/\.$/),
        keywords: expect.any(Array),
        license: 'MIT',
        engines: { node: expect.stringMatching(/^>=/) },
      });
      expect(manifest.sideEffects).toBeDefined();
      expect(readFileSync(join(folder, 'README.md'), 'utf8')).toContain(manifest.name);
      expect(readFileSync(join(folder, 'LICENSE'), 'utf8')).toBe(
        readFileSync(join(root, 'LICENSE'), 'utf8'),
      );
    });

    test('links in its README to nothing that is not packed', () => {
      const text = readFileSync(join(folder, 'README.md'), 'utf8');
      const packed = ['README.md', 'LICENSE', 'package.json', ...(manifest.files ?? [])];
      const links = [...text.matchAll(/\]\(([^)\s]+)\)|^\[[^\]]+\]:\s*(\S+)/gm)]
        .map(([, inline, reference]) => inline ?? reference ?? '')
        .filter((target) => !/^(?:[a-z]+:|#)/.test(target))
        .map((target) => normalize(target.replace(/#.*/, '')));
      const dead = links.filter(
        (target) =>
          !existsSync(join(folder, target)) ||
          !packed.some((one) => target === one || target.startsWith(`${one}/`)),
      );
      expect(dead).toEqual([]);
    });

    test('has types and a source for every entry, and publishes both', () => {
      const { exports = {}, files = [] } = manifest;
      for (const [entry, target] of Object.entries(exports)) {
        if (typeof target === 'string') {
          expect(existsSync(join(folder, target)), entry).toBe(true);
          continue;
        }
        const source = target['nexus-source'] ?? '';
        const built = source.replace(/^\.\/src\//, './dist/').replace(/\.ts$/, '');
        expect(existsSync(join(folder, source)), `${entry}: ${source}`).toBe(true);
        // The first that fits is taken: types stand before what they describe.
        expect(Object.entries(target)).toEqual([
          ['nexus-source', source],
          ['types', `${built}.d.ts`],
          ['default', `${built}.js`],
        ]);
      }
      expect(files).toEqual(expect.arrayContaining(['dist', 'src', '!**/*.test.ts']));
    });

    test('names files with side effects that exist', () => {
      const { sideEffects } = manifest;
      const sources = Array.isArray(sideEffects) ? (sideEffects as readonly string[]) : [];
      const missing = sources.filter(
        (file) => file.startsWith('./src/') && !existsSync(join(folder, file)),
      );
      expect(missing).toEqual([]);
    });
  },
);
