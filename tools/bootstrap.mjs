// Runs a script or an installed command under the project's own Node, installing dependencies first
// when they are missing or older than the lockfile. The first command on a fresh clone ends up here,
// so this file needs nothing but a plain Node and npm.
//
//   node tools/bootstrap.mjs <script.ts | script.mjs | command> [arguments]
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
const binaries = join(modules, '.bin');
const windows = process.platform === 'win32';

const [target, ...args] = process.argv.slice(2);
if (target === undefined) fail('usage: node tools/bootstrap.mjs <script | command> [arguments]');

if (!isInstalled()) install();
run(findNode(), target, args);

/** Whether every package the lockfile asks for is present in that version. */
function isInstalled() {
  try {
    const wanted = readPackages(join(root, 'package-lock.json'));
    const present = readPackages(join(modules, '.package-lock.json'));
    const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    return (
      wanted['node_modules/node'].version === devDependencies.node &&
      Object.entries(wanted).every(
        ([path, entry]) =>
          path === '' || entry.optional || present[path]?.version === entry.version,
      )
    );
  } catch {
    return false; // no lockfile of the last install, or one cut short: install again
  }
}

/** @param {string} file */
function readPackages(file) {
  /** @type {{ packages: Record<string, any> }} */
  const lock = JSON.parse(readFileSync(file, 'utf8'));
  return lock.packages;
}

function install() {
  console.error('Installing dependencies ...');
  const options = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  // npm must not run on the Node inside node_modules, which it is about to replace.
  const path = (process.env.PATH ?? '').split(delimiter).filter((dir) => !dir.includes(modules));
  const { status, error } = spawnSync('npm', options, {
    cwd: root,
    env: { ...process.env, PATH: path.join(delimiter) },
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: windows,
  });
  if (status !== 0) fail(`npm ${options.join(' ')} failed${error ? `: ${error.message}` : ''}`);
}

/** The Node of the `node` dev dependency, or this one if it can run TypeScript by itself. */
function findNode() {
  const local = join(modules, 'node', 'bin', windows ? 'node.exe' : 'node');
  if (existsSync(local)) return local;
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
  fail(`${local} is missing; is its install script allowed to run?`);
}

/**
 * @param {string} node
 * @param {string} name
 * @param {string[]} rest
 */
function run(node, name, rest) {
  const script = /\.[mc]?[jt]s$/.test(name);
  const command = script ? node : join(binaries, windows ? `${name}.cmd` : name);
  const child = spawn(
    command,
    script ? ['--conditions=nexus-source', join(root, name), ...rest] : rest,
    {
      env: {
        ...process.env,
        PATH: [dirname(node), binaries, process.env.PATH].join(delimiter),
      },
      stdio: 'inherit',
      shell: windows && !script,
    },
  );
  // A terminal sends Ctrl-C to the child as well; every other signal reaches only this process.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  for (const signal of /** @type {const} */ (['SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => child.kill(signal));
  }
  child.on('error', (error) => fail(error.message));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

/**
 * @param {string} message
 * @returns {never}
 */
function fail(message) {
  console.error(`bootstrap: ${message}`);
  process.exit(1);
}
