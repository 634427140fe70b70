import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Where Chromium is, or in words why there is none. */
export type FoundChromium =
  | { readonly path: string; readonly missing?: never }
  | { readonly path?: never; readonly missing: string };

const DEBIAN_PATH = '/usr/bin/chromium';
const INSTALL = ['apt-get', 'install', '-y', '--no-install-recommends', 'chromium'] as const;

/** The Chromium of this machine: `CHROMIUM_PATH` if set, else Debian's; undefined if there is none. */
export function chromiumPath(): string | undefined {
  const path = process.env['CHROMIUM_PATH'] ?? DEBIAN_PATH;
  return existsSync(path) ? path : undefined;
}

/**
 * Finds Chromium, and installs Debian's package where that needs no question to anybody: as root, or with
 * a sudo that asks for no password. Takes some seconds to a minute the first time.
 */
export function ensureChromium(): FoundChromium {
  const wanted = process.env['CHROMIUM_PATH'];
  const path = chromiumPath();
  if (path !== undefined) return { path };
  if (wanted !== undefined) return { missing: `CHROMIUM_PATH names ${wanted}, which is not there` };
  if (!existsSync('/etc/debian_version')) {
    return { missing: `${DEBIAN_PATH} is missing; set CHROMIUM_PATH to a Chromium or Chrome` };
  }
  const sudo = asRoot();
  if (sudo === undefined) {
    return { missing: `${DEBIAN_PATH} is missing; run \`${INSTALL.join(' ')}\` as root` };
  }
  console.error(`Installing Chromium: ${INSTALL.join(' ')}`);
  // The package lists of a fresh machine are empty or too old for the pool.
  if (!install(sudo)) {
    run([...sudo, 'apt-get', 'update', '-q']);
    install(sudo);
  }
  return existsSync(DEBIAN_PATH)
    ? { path: DEBIAN_PATH }
    : { missing: `\`${INSTALL.join(' ')}\` failed` };
}

/** What to put before a command to run it as root; undefined if that needs a password. */
function asRoot(): readonly string[] | undefined {
  if (process.getuid?.() === 0) return [];
  const sudo = ['sudo', '-n'];
  return run([...sudo, 'true'], 'ignore') ? sudo : undefined;
}

function install(sudo: readonly string[]): boolean {
  return run([...sudo, ...INSTALL]);
}

function run(words: readonly string[], stdio: 'inherit' | 'ignore' = 'inherit'): boolean {
  const [file = '', ...args] = words;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  // What apt prints belongs to the log of the run, not to its results.
  const output = stdio === 'inherit' ? process.stderr : 'ignore';
  return spawnSync(file, args, { env, stdio: ['ignore', output, output] }).status === 0;
}
