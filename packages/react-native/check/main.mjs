// Everything of this package that needs more than the main job installs: Kotlin against Android's real
// signatures, Kotlin tests on a JDK, Swift's syntax, the config plugin, types of the peers, the code of the guides,
// Hermes: its compiler, and the tests of the core in its engine.
//
//   npm run check:react-native
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const here = import.meta.dirname;
const modules = join(here, 'node_modules');

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

install();
// The plugin asks for Expo's packages as an app has them.
process.env['NODE_PATH'] = modules;
createRequire(import.meta.url)('node:module').Module._initPaths();

const { testGuides } = await import('./guides.mjs');
const { testHermes } = await import('./hermes.mjs');
const { testKotlin } = await import('./kotlin.mjs');
const { testPlugin } = await import('./plugin.mjs');
const { testSwift } = await import('./swift.mjs');

/** @type {[name: string, step: () => Counts | Promise<Counts>][]} */
const steps = [
  ['Kotlin against the signatures of Android and androidx.work', checkAndroid],
  ['Kotlin tests', testKotlin],
  ['Swift syntax', testSwift],
  ['config plugin', testPlugin],
  ['types of the peers', checkTypes],
  ['guides', testGuides],
  ['Hermes', testHermes],
];

/** @type {Counts} */
const total = { passed: 0, failed: 0, skipped: 0 };
for (const [name, step] of steps) {
  console.log(`\n== ${name}`);
  const { passed, failed, skipped } = await step();
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
}
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 ? 1 : 0;

function install() {
  const lock = JSON.parse(readFileSync(join(here, 'package-lock.json'), 'utf8'));
  const present = join(modules, '.package-lock.json');
  const known = existsSync(present) ? JSON.parse(readFileSync(present, 'utf8')).packages : {};
  const isWhole = Object.entries(lock.packages).every(
    ([path, { version, optional }]) => path === '' || optional || known[path]?.version === version,
  );
  if (isWhole) return;
  console.error('Installing what only this check needs (about 1.1 GB) ...');
  const options = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status } = spawnSync('npm', options, {
    cwd: here,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (status !== 0) process.exit(1);
}

/** @returns {Counts} */
function checkAndroid() {
  const script = process.env['NEXUS_ANDROID_CHECK'] ?? '';
  if (!existsSync(script)) {
    console.log('skipped: NEXUS_ANDROID_CHECK names no script that checks Kotlin against Android');
    return { passed: 0, failed: 0, skipped: 1 };
  }
  const { status } = spawnSync('bash', [script, join(here, '../android/src/main'), here], {
    stdio: 'inherit',
  });
  if (status === 2) return { passed: 0, failed: 0, skipped: 1 };
  return { passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1, skipped: 0 };
}

/** @returns {Counts} */
function checkTypes() {
  const { status } = spawnSync('tsc', ['-p', join(here, 'tsconfig.json')], { stdio: 'inherit' });
  console.log(status === 0 ? 'the peers fit' : 'the peers do not fit, or a source is broken');
  return { passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1, skipped: 0 };
}
