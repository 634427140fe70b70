import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../peers/', import.meta.url));

/** Installs what `bench/peers/package-lock.json` names, unless it is there already. */
export function installPeers(): void {
  if (isInstalled()) return;
  console.error('Installing peers ...');
  // None of them needs its install script: their binaries are part of their packages.
  const options = ['ci', '--no-workspaces', '--ignore-scripts', '--no-audit', '--no-fund'];
  const { status, error } = spawnSync('npm', [...options, '--loglevel=error'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  });
  if (status !== 0)
    throw new Error(`npm ci in bench/peers failed: ${error?.message ?? 'see above'}`);
}

function isInstalled(): boolean {
  const present = join(folder, 'node_modules', '.package-lock.json');
  if (!existsSync(present)) return false;
  const wanted = packagesOf(join(folder, 'package-lock.json'));
  const found = packagesOf(present);
  return Object.entries(wanted).every(
    ([path, entry]) =>
      path === '' || entry.optional === true || found[path]?.version === entry.version,
  );
}

interface LockEntry {
  readonly version: string;
  readonly optional?: boolean;
}

function packagesOf(file: string): Readonly<Record<string, LockEntry>> {
  return (
    JSON.parse(readFileSync(file, 'utf8')) as { packages: Readonly<Record<string, LockEntry>> }
  ).packages;
}

/** A peer's module. What is used of it is written down where it is used: there are no types here. */
export function loadPeer<T>(name: string): T {
  return createRequire(join(folder, 'package.json'))(name) as T;
}
