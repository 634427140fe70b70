// A lockfile written where a registry lacks some builds, or names one, breaks `npm ci` elsewhere.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

interface LockedPackage {
  readonly resolved?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const file = join(import.meta.dirname, '..', 'package-lock.json');
const lock: { packages: Record<string, LockedPackage> } = JSON.parse(readFileSync(file, 'utf8'));
const packages = Object.entries(lock.packages);

test('the lockfile holds the builds of every platform', () => {
  const wanted = packages.flatMap(([, entry]) => Object.keys(entry.optionalDependencies ?? {}));

  const missing = wanted.filter(
    (name) => !packages.some(([path]) => path.endsWith(`node_modules/${name}`)),
  );

  expect(missing).toEqual([]);
});

test('the lockfile names no registry', () => {
  const named = packages.filter(([, { resolved }]) => resolved?.includes('://'));

  expect(named).toEqual([]);
});
