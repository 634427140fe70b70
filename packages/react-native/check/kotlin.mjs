// Compiles the Kotlin that decides nothing about Android, with a fake of androidx.work, and runs its tests on
// a JDK. Without one the tests are counted as skipped.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const here = import.meta.dirname;
const compiler = join(here, 'node_modules/kotlin-compiler');
const main = join(here, '../android/src/main/java/com/nexusstore/reactnative');
const tests = join(here, '../android/test');
const cases = join(here, '../mapping-cases.json');
/** What runs without Android and Expo. `SyncEnvironment` is replaced by the tests' own. */
const sources = [
  'RequestMapping',
  'WorkRequests',
  'SyncScheduler',
  'RunLog',
  'RunLife',
  'SyncWorker',
];

/** @returns {string | undefined} the folder of java */
function findJava() {
  const home = process.env['JAVA_HOME'];
  const command = home === undefined ? 'java' : join(home, 'bin/java');
  const { stderr, status } = spawnSync(command, ['-version'], { encoding: 'utf8' });
  const version = Number(/version "(\d+)/.exec(stderr ?? '')?.[1]);
  return status === 0 && version >= 17 ? command : undefined;
}

/** As many as `main` in Suite.kt runs. */
function countTests() {
  const { requests, updates, hostResults, androidStopReasons } = JSON.parse(
    readFileSync(cases, 'utf8'),
  );
  const fromCases =
    3 * requests.length +
    updates.length +
    hostResults.length +
    Object.keys(androidStopReasons).length;
  const byName = readdirSync(tests)
    .filter((name) => name.endsWith('Test.kt'))
    .map(
      (name) =>
        readFileSync(join(tests, name), 'utf8').match(/suite\.test\("[^$"]*"\)/g)?.length ?? 0,
    );
  return fromCases + byName.reduce((sum, count) => sum + count, 0);
}

/** @returns {{ passed: number, failed: number, skipped: number }} */
export function testKotlin() {
  const java = findJava();
  if (java === undefined) {
    const skipped = countTests();
    console.log(`kotlin: ${skipped} or more tests skipped: no JDK 17 or newer (JAVA_HOME or PATH)`);
    return { passed: 0, failed: 0, skipped };
  }
  const out = mkdtempSync(join(tmpdir(), 'nexus-kotlin-'));
  try {
    const library = (name) => join(compiler, 'lib', `${name}.jar`);
    const path = [library('kotlin-stdlib'), library('kotlinx-coroutines-core-jvm')].join(delimiter);
    const files = [...sources.map((name) => join(main, `${name}.kt`)), tests];
    const kotlinc = spawnSync(
      'bash',
      [join(compiler, 'bin/kotlinc'), '-nowarn', '-cp', path, '-d', out, ...files],
      {
        encoding: 'utf8',
        env: { ...process.env, JAVA_OPTS: '-Xmx1g -XX:+UseSerialGC -XX:TieredStopAtLevel=1' },
      },
    );
    if (kotlinc.status !== 0) {
      console.error(kotlinc.stderr || kotlinc.error?.message);
      return { passed: 0, failed: 1, skipped: 0 };
    }
    const classPath = [out, path].join(delimiter);
    const run = spawnSync(java, ['-cp', classPath, 'com.nexusstore.reactnative.SuiteKt', cases], {
      encoding: 'utf8',
    });
    console.log((run.stdout + run.stderr).trimEnd());
    const [, passed, failed] = /kotlin: (\d+) passed, (\d+) failed/.exec(run.stdout) ?? [];
    if (passed === undefined) return { passed: 0, failed: 1, skipped: 0 };
    return { passed: Number(passed), failed: Number(failed), skipped: 0 };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

if (process.argv[1] === import.meta.filename) {
  if (!existsSync(compiler))
    throw new Error('run npm run check:react-native first: it installs kotlin-compiler');
  process.exitCode = testKotlin().failed > 0 ? 1 : 0;
}
