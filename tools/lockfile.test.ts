// A lockfile written where a registry lacks some builds, or names one, breaks `npm ci` elsewhere.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

interface LockedPackage {
  readonly resolved?: string;
  readonly integrity?: string;
  /** A workspace, or a folder of this repository. */
  readonly link?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const root = join(import.meta.dirname, '..');
const files = execFileSync('git', ['ls-files', '*package-lock.json'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(root, file)));

test('the lockfiles are those of the workspaces and of what is installed apart from them', () => {
  expect(files).toEqual(
    expect.arrayContaining([
      'apps/field-notes-expo/package-lock.json',
      'bench/peers/package-lock.json',
      'package-lock.json',
      'packages/react-native/check/package-lock.json',
    ]),
  );
});

describe.each(files)('%s', (file) => {
  const lock: { packages: Record<string, LockedPackage> } = JSON.parse(
    readFileSync(join(root, file), 'utf8'),
  );
  const packages = Object.entries(lock.packages);

  test('holds the builds of every platform', () => {
    const wanted = packages.flatMap(([, entry]) => Object.keys(entry.optionalDependencies ?? {}));

    const missing = wanted.filter(
      (name) => !packages.some(([path]) => path.endsWith(`node_modules/${name}`)),
    );

    expect(missing).toEqual([]);
  });

  test('names no registry', () => {
    const named = packages.filter(([, { resolved }]) => resolved?.includes('://'));

    expect(named).toEqual([]);
  });

  test('knows what every package of a registry must hash to', () => {
    const unknown = packages
      .filter(([path, { link }]) => path.includes('node_modules/') && link !== true)
      .filter(([, { resolved }]) => resolved?.startsWith('file:') !== true)
      .filter(([, { integrity }]) => integrity?.startsWith('sha512-') !== true);

    expect(unknown.map(([path]) => path)).toEqual([]);
  });
});
