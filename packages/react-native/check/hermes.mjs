// Hermes: the entry file of an app with the whole store, through the real compiler, and the tests of the core in
// the engine that npm ships.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { appScript, testScript } from './hermes/bundle.mjs';

const here = import.meta.dirname;
const FOLDERS = { linux: 'linux64-bin', darwin: 'osx-bin', win32: 'win64-bin' };
const SUFFIX = process.platform === 'win32' ? '.exe' : '';

/** Fewer tests than this, and the choice of files has gone wrong. */
const FEWEST_TESTS = 2_000;

/**
 * What fails in version 0.12 for a reason of its own, and is counted as skipped.
 *
 * @type {readonly [part: string, reason: string][]}
 */
const BEYOND_OLD_ENGINE = [
  [
    'keeps dates, bytes and odd keys',
    "Babel's old profile makes a prototype of a literal's own __proto__",
  ],
  ['may be called __proto__', "Babel's old profile makes a prototype of a literal's own __proto__"],
  ['hostile items come back', 'comparing ten thousand levels needs more stack'],
  ['take less than a second', 'it measures time on a fast engine'],
];

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/**
 * @param {'hermes' | 'hermesc'} name
 * @param {string} folder
 * @returns {string | undefined}
 */
function binary(name, folder) {
  const path = join(
    here,
    'node_modules',
    folder,
    FOLDERS[process.platform] ?? 'none',
    name + SUFFIX,
  );
  if (process.arch !== 'x64' || !existsSync(path)) return undefined;
  chmodSync(path, 0o755);
  return path;
}

/** @returns {Promise<Counts>} */
async function testCompiler(scratch) {
  const hermesc = binary('hermesc', 'hermes-compiler/hermesc');
  if (hermesc === undefined) return skip('compiler');
  const [source, target] = [join(scratch, 'field.js'), join(scratch, 'field.hbc')];
  writeFileSync(source, await appScript('hermes-v1'));
  const run = spawnSync(hermesc, ['-O', '-w', '-emit-binary', '-out', target, source], {
    encoding: 'utf8',
  });
  const isFine = run.status === 0 && statSync(target).size > 0;
  console.log(
    isFine ? `hermes: the entry file compiles (${statSync(target).size} bytes)` : run.stderr,
  );
  return { passed: isFine ? 1 : 0, failed: isFine ? 0 : 1, skipped: 0 };
}

/** @returns {Promise<Counts>} */
async function testOldEngine(scratch) {
  const engine = binary('hermes', 'hermes-engine-cli');
  if (engine === undefined) return skip('engine');
  const options = ['-O', '-w', '-Xmicrotask-queue'];
  return runTests('0.12, from npm', engine, options, 'hermes-v0', scratch, BEYOND_OLD_ENGINE);
}

/** An engine of today, if there is one at hand: npm ships none. @returns {Promise<Counts>} */
async function testOwnEngine(scratch) {
  const engine = process.env['NEXUS_HERMES'] ?? '';
  if (!existsSync(engine)) {
    console.log('hermes: 2 tests skipped: NEXUS_HERMES names no engine of today');
    return { passed: 0, failed: 0, skipped: 2 };
  }
  const tests = await runTests('of NEXUS_HERMES', engine, ['-O', '-w'], 'hermes-v1', scratch, []);
  return add(tests, compareBuiltins(engine));
}

/** @returns {Promise<Counts>} */
async function runTests(name, engine, options, profile, scratch, beyond) {
  const source = join(scratch, `${profile}.js`);
  const { code, files } = await testScript(profile);
  writeFileSync(source, code);
  const { stdout, stderr } = spawnSync(engine, [...options, source], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    timeout: 900_000,
  });
  const [, passed = '0', failed = '0'] = /^hermes: (\d+) passed, (\d+) failed$/m.exec(stdout) ?? [];
  const failures = stdout.split(/^(?=FAIL )/m).filter((part) => part.startsWith('FAIL '));
  const isBeyond = (failure) => beyond.find(([part]) => failure.split('\n')[0].includes(part));
  const skipped = failures.filter(isBeyond);
  for (const failure of failures) {
    const reason = isBeyond(failure)?.[1];
    if (reason === undefined) console.error(failure.slice(0, 2_000));
    else console.log(`skipped: ${failure.split('\n')[0].slice(5, 120)} ...: ${reason}`);
  }
  const counts = {
    passed: Number(passed),
    failed: Number(failed) - skipped.length,
    skipped: skipped.length,
  };
  if (counts.passed < FEWEST_TESTS) {
    console.error(`only ${passed} tests passed; at least ${FEWEST_TESTS} are there`);
    console.error((stderr + stdout).slice(-2_000));
    counts.failed += 1;
  }
  console.log(
    `hermes ${name}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped, of ${files} files`,
  );
  return counts;
}

/** The list by which the main job knows what Hermes has is that of this engine. @returns {Counts} */
function compareBuiltins(engine) {
  const { stdout } = spawnSync(engine, [join(here, 'hermes/list-builtins.js')], {
    encoding: 'utf8',
  });
  const kept = JSON.parse(readFileSync(join(here, '../src/fake/hermes-builtins.json'), 'utf8'));
  const missing = Object.entries(kept).flatMap(([owner, names]) => {
    const has = new Set(JSON.parse(stdout)[owner]);
    return names.filter((name) => !has.has(name)).map((name) => `${owner}.${name}`);
  });
  console.log(
    missing.length === 0
      ? 'hermes: the engine has what hermes-builtins.json says'
      : `hermes: the engine lacks ${missing.join(', ')}`,
  );
  return { passed: missing.length === 0 ? 1 : 0, failed: missing.length === 0 ? 0 : 1, skipped: 0 };
}

/** @returns {Counts} */
function skip(what) {
  console.log(`hermes: skipped: no ${what} for ${process.platform} ${process.arch}`);
  return { passed: 0, failed: 0, skipped: 1 };
}

/** @param {Counts} left @param {Counts} right @returns {Counts} */
const add = (left, right) => ({
  passed: left.passed + right.passed,
  failed: left.failed + right.failed,
  skipped: left.skipped + right.skipped,
});

/** @returns {Promise<Counts>} */
export async function testHermes() {
  const scratch = mkdtempSync(join(tmpdir(), 'nexus-hermes-'));
  try {
    let total = await testCompiler(scratch);
    total = add(total, await testOldEngine(scratch));
    return add(total, await testOwnEngine(scratch));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

if (process.argv[1] === import.meta.filename)
  process.exitCode = (await testHermes()).failed > 0 ? 1 : 0;
