// The app as a newcomer gets it: installed with the real Expo and React Native, type-checked, looked at by the
// doctor, prebuilt, bundled by Metro for both systems and compiled by Hermes; then each bundle is started without a screen, as
// the system would, and syncs with the reference server. Nothing native is built.
//
//   npm run check:expo
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { liveHeadless } from './phone/headless-day.mjs';

const app = join(import.meta.dirname, '..');
const root = join(app, '../..');
const modules = join(app, 'node_modules');
const PACKAGES = { 'nexus-store': 'nexus-store', '@nexus-store/react-native': 'react-native' };
const SYNC_ID = 'com.example.fieldnotes.sync';
const IDENTIFIERS = [SYNC_ID, `${SYNC_ID}.soon`, `${SYNC_ID}.critical`];
const HERMESC = {
  linux: 'linux64-bin/hermesc',
  darwin: 'osx-bin/hermesc',
  win32: 'win64-bin/hermesc.exe',
};
const SUMMARY_CHARS = 4_000;

/** Expo asks no server, tells none, and changes no repository. */
const env = {
  ...process.env,
  CI: '1',
  EXPO_OFFLINE: '1',
  EXPO_NO_TELEMETRY: '1',
  EXPO_NO_GIT_STATUS: '1',
};

/** Thrown by a step that this machine cannot do. */
class Skipped extends Error {}

const scratch = mkdtempSync(join(tmpdir(), 'nexus-expo-'));
/** A copy of the app, for what writes into it. */
const copy = join(scratch, 'app');
const bundles = join(scratch, 'bundles');

/** @type {[name: string, step: () => string | Promise<string>][]} */
const steps = [
  ['packages are built and installed', install],
  ['types', checkTypes],
  ["versions are those of Expo's release", checkVersions],
  ['doctor', () => doctor(app)],
  ['native module is found by autolinking', checkAutolinking],
  ['prebuild', checkPrebuild],
  ['prebuild changes nothing the second time', checkSecondPrebuild],
  ['doctor, after prebuild', () => doctor(copy)],
  ['Metro bundles the app for Android', () => bundle('android')],
  ['Metro bundles the app for iOS', () => bundle('ios')],
  ['Hermes compiles the bundle for Android', () => compile('android')],
  ['a headless start of the bundle for Android syncs', () => liveWith('android')],
  ['Hermes compiles the bundle for iOS', () => compile('ios')],
  ['a headless start of the bundle for iOS syncs', () => liveWith('ios')],
];

const counts = { passed: 0, failed: 0, skipped: 0 };
try {
  for (const [name, step] of steps) await report(name, step);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.failed > 0 ? 1 : 0;

/** @param {string} name @param {() => string | Promise<string>} step */
async function report(name, step) {
  const startedAt = performance.now();
  const seconds = () => ((performance.now() - startedAt) / 1000).toFixed(1).padStart(6);
  try {
    const said = await step();
    counts.passed += 1;
    console.log(`ok   ${seconds()} s  ${name}${said === '' ? '' : `: ${said}`}`);
  } catch (error) {
    const isSkipped = error instanceof Skipped;
    counts[isSkipped ? 'skipped' : 'failed'] += 1;
    console.log(`${isSkipped ? 'skip' : 'FAIL'} ${seconds()} s  ${name}: ${error.message}`);
  }
}

// ---- steps ---------------------------------------------------------------------------------------

function install() {
  run('tsc', ['-b', 'tsconfig.build.json'], root);
  const lock = packagesOf(join(app, 'package-lock.json'));
  const present = packagesOf(join(modules, '.package-lock.json'));
  const isWhole = Object.entries(lock).every(
    ([path, { version, optional }]) =>
      path === '' || optional || present[path]?.version === version,
  );
  if (!isWhole) run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], app);
  // As they would come from the registry, and as they are now.
  for (const [name, folder] of Object.entries(PACKAGES)) {
    const options = ['pack', '--json', '--pack-destination', scratch, '--loglevel=error'];
    const [{ filename }] = JSON.parse(run('npm', options, join(root, 'packages', folder)));
    const target = join(modules, name);
    rmSync(target, { recursive: true, force: true });
    mkdirSync(target, { recursive: true });
    run('tar', ['-xzf', join(scratch, filename), '-C', target, '--strip-components=1'], scratch);
  }
  return isWhole ? 'from the last install' : `${Object.keys(lock).length - 1} packages`;
}

function checkTypes() {
  run(process.execPath, [join(modules, 'typescript/bin/tsc'), '-p', app], app);
  return '';
}

/** Expo's own table of versions, which comes with the package. */
function checkVersions() {
  const wanted = JSON.parse(readFileSync(join(modules, 'expo/bundledNativeModules.json'), 'utf8'));
  const { dependencies } = JSON.parse(readFileSync(join(app, 'package.json'), 'utf8'));
  const known = Object.keys(dependencies).filter((name) => name in wanted);
  assert(known.length > 5, 'the table of versions is not what it was');
  expo(['install', '--check'], app);
  return `${known.length} packages`;
}

/** @param {string} folder */
function doctor(folder) {
  const cli = join(root, 'packages/cli/bin/nexus-store.cjs');
  const said = run(process.execPath, [cli, 'doctor', folder, '--json'], root);
  const { findings } = JSON.parse(said);
  const bad = findings.filter(({ level }) => level !== 'ok').map(({ message }) => message);
  assert(bad.length === 0, bad.join('; '));
  return `${findings.length} findings, all well`;
}

function checkAutolinking() {
  const cli = join(modules, 'expo-modules-autolinking/bin/expo-modules-autolinking.js');
  const found = ['android', 'apple'].map((platform) => {
    const said = run(process.execPath, [cli, 'resolve', '--platform', platform, '--json'], app);
    const { modules: list } = JSON.parse(said.slice(said.indexOf('{')));
    return list.find(({ packageName }) => packageName === '@nexus-store/react-native');
  });
  const [android, apple] = found.map((one) => JSON.stringify(one ?? null));
  assert(android.includes('com.nexusstore.reactnative.SyncModule'), `Android: ${android}`);
  assert(apple.includes('SyncModule') && apple.includes('LaunchSubscriber'), `iOS: ${apple}`);
  return '';
}

function checkPrebuild() {
  mkdirSync(copy);
  for (const name of ['app.json', 'index.ts', 'package.json', 'src', 'tsconfig.json'])
    cpSync(join(app, name), join(copy, name), { recursive: true });
  symlinkSync(modules, join(copy, 'node_modules'), 'junction');
  prebuild();
  const plist = readFileSync(join(copy, 'ios/Fieldnotes/Info.plist'), 'utf8');
  for (const key of ['BGTaskSchedulerPermittedIdentifiers', 'NexusStoreSyncIdentifiers'])
    assert(
      IDENTIFIERS.every((id) => arrayIn(plist, key).includes(id)),
      `Info.plist: ${key}`,
    );
  for (const mode of ['fetch', 'processing'])
    assert(arrayIn(plist, 'UIBackgroundModes').includes(mode), `Info.plist: the mode ${mode}`);
  const manifest = readFileSync(join(copy, 'android/app/src/main/AndroidManifest.xml'), 'utf8');
  assert(!manifest.includes('FOREGROUND_SERVICE'), 'AndroidManifest.xml: a foreground service');
  assert(manifest.includes('android:allowBackup="false"'), 'AndroidManifest.xml: allowBackup');
  return '';
}

function checkSecondPrebuild() {
  const before = textsIn(copy);
  prebuild();
  const after = textsIn(copy);
  const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
    (path) => before.get(path) !== after.get(path),
  );
  assert(changed.length === 0, changed.join(', '));
  return `${after.size} files`;
}

/** @param {'android' | 'ios'} platform */
function bundle(platform) {
  const target = join(bundles, platform);
  // The script itself; Hermes has its own step.
  const options = ['--platform', platform, '--output-dir', target, '--no-bytecode', '--no-minify'];
  expo(['export', ...options], app);
  const script = readFileSync(scriptOf(platform), 'utf8');
  const wanted = [
    ['the task that native code runs', 'nexus-store.background-sync'],
    ['the identifier of the app', SYNC_ID],
    ['the store', 'queue/claim-lost'],
  ];
  for (const [what, text] of wanted) assert(script.includes(text), `the bundle lacks ${what}`);
  // What Metro takes along is what the phone evaluates: nothing of Node may be in it.
  assert(!/require\(["']node:/.test(script), "the bundle asks for Node's modules");
  return `${(script.length / 2 ** 20).toFixed(1)} MB`;
}

/** @param {'android' | 'ios'} platform */
function compile(platform) {
  const hermesc = join(modules, 'hermes-compiler/hermesc', HERMESC[process.platform] ?? 'none');
  if (process.arch !== 'x64' || !existsSync(hermesc))
    throw new Skipped(`no compiler for ${process.platform} ${process.arch}`);
  chmodSync(hermesc, 0o755);
  const target = join(bundles, `${platform}.hbc`);
  run(hermesc, ['-O', '-w', '-emit-binary', '-out', target, scriptOf(platform)], app);
  return `${(statSync(target).size / 2 ** 20).toFixed(1)} MB of bytecode`;
}

/** @param {'android' | 'ios'} platform */
function liveWith(platform) {
  const script = readFileSync(scriptOf(platform), 'utf8');
  return liveHeadless({
    script,
    platform,
    folder: join(scratch, `phone-${platform}`),
    id: SYNC_ID,
  });
}

// ---- what they are made of -----------------------------------------------------------------------

/** @param {string} file */
function packagesOf(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).packages : {};
}

/** @param {string[]} args @param {string} cwd */
function expo(args, cwd) {
  return run(process.execPath, [join(modules, 'expo/bin/cli'), ...args], cwd);
}

function prebuild() {
  expo(['prebuild', '--no-install'], copy);
}

/** @param {'android' | 'ios'} platform */
function scriptOf(platform) {
  const folder = join(bundles, platform, '_expo/static/js', platform);
  const [name = 'none'] = existsSync(folder) ? readdirSync(folder) : [];
  return join(folder, name);
}

/** @param {string} plist @param {string} key @returns {string[]} */
function arrayIn(plist, key) {
  const [, list = ''] =
    new RegExp(`<key>${key}</key>\\s*<array>([\\s\\S]*?)</array>`).exec(plist) ?? [];
  return [...list.matchAll(/<string>(.*?)<\/string>/g)].map(([, text = '']) => text);
}

/** @param {string} folder @returns {Map<string, string>} */
function textsIn(folder) {
  const files = ['android', 'ios', 'package.json'].flatMap((name) =>
    filesBelow(join(folder, name)),
  );
  return new Map(files.map((file) => [relative(folder, file), contentOf(file)]));
}

/** @param {string} file */
function contentOf(file) {
  if (!file.endsWith('.pbxproj')) return readFileSync(file, 'base64');
  // expo-dev-launcher gives its build phase a random id with every prebuild.
  return readFileSync(file, 'utf8').replaceAll(/\b[0-9A-F]{24}\b/g, 'id');
}

/** @param {string} path @returns {string[]} */
function filesBelow(path) {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path).flatMap((name) => filesBelow(join(path, name)));
}

/** @param {string} command @param {string[]} args @param {string} cwd @returns {string} what it printed */
function run(command, args, cwd) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    env,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    shell: process.platform === 'win32' && !command.includes('\\'),
  });
  if (error !== undefined) throw error;
  if (status === 0) return stdout;
  throw new Error(`exit code ${status}\n${(stdout + stderr).trim().slice(-SUMMARY_CHARS)}`);
}

/** @param {unknown} holds @param {string} message */
function assert(holds, message) {
  if (!holds) throw new Error(message);
}
