// The config plugin on a real template, through Expo's own mods: right result, and the same a second time.
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const here = import.meta.dirname;
const require = createRequire(import.meta.url);
const OTHERS = 'com.expo.modules.backgroundtask.processing';

/** Runs prebuild's mods with the plugin, as app.json would name it. */
async function prebuild(project, options, plist = {}) {
  const { compileModsAsync, withInfoPlist } = require('@expo/config-plugins');
  // As Expo loads it: a namespace with a default.
  const { default: withNexusStore } = await import('../app.plugin.js');
  let config = {
    name: 'HelloWorld',
    slug: 'hello',
    ios: { bundleIdentifier: 'com.example.hello' },
    android: { package: 'com.helloworld' },
  };
  config = withNexusStore(config, options);
  config = withNexusStore(config, options); // named twice in app.json
  // What is added last runs first: the packages before ours have written already.
  config = withInfoPlist(config, (one) => {
    one.modResults = { ...one.modResults, ...plist };
    return one;
  });
  await compileModsAsync(config, { projectRoot: project, platforms: ['ios', 'android'] });
  return readPlist(project);
}

function readPlist(project) {
  const plist = require('@expo/plist').default ?? require('@expo/plist');
  return plist.parse(readFileSync(join(project, 'ios/HelloWorld/Info.plist'), 'utf8'));
}

const manifest = (project) =>
  readFileSync(join(project, 'android/app/src/main/AndroidManifest.xml'), 'utf8');

const permissions = (text) => text.match(/uses-permission[^>]*name="[^"]*"|<service[^>]*/g) ?? [];

const tests = {
  'the plist has modes and identifiers, and a second run changes nothing': async (project) => {
    const first = await prebuild(project, { id: 'com.example.field' });
    const text = readFileSync(join(project, 'ios/HelloWorld/Info.plist'), 'utf8');
    const second = await prebuild(project, { id: 'com.example.field' });
    const ids = ['com.example.field', 'com.example.field.soon', 'com.example.field.critical'];
    assert.deepEqual(first.UIBackgroundModes, ['fetch', 'processing']);
    assert.deepEqual(first.BGTaskSchedulerPermittedIdentifiers, ids);
    assert.deepEqual(first.NexusStoreSyncIdentifiers, ids);
    assert.deepEqual(second, first);
    assert.equal(readFileSync(join(project, 'ios/HelloWorld/Info.plist'), 'utf8'), text);
  },
  'what other packages wrote stays': async (project) => {
    const plist = await prebuild(project, undefined, {
      UIBackgroundModes: ['audio', 'fetch'],
      BGTaskSchedulerPermittedIdentifiers: [OTHERS],
    });
    assert.deepEqual(plist.UIBackgroundModes, ['audio', 'fetch', 'processing']);
    assert.deepEqual(plist.BGTaskSchedulerPermittedIdentifiers, [
      OTHERS,
      'nexus-store.sync',
      'nexus-store.sync.soon',
      'nexus-store.sync.critical',
    ]);
    assert.equal(plist.NexusStoreSyncIdentifiers.includes(OTHERS), false);
  },
  'another id takes the place of the one before': async (project) => {
    await prebuild(project, { id: 'old' });
    const plist = await prebuild(project, { id: 'new' });
    assert.deepEqual(plist.BGTaskSchedulerPermittedIdentifiers, [
      'new',
      'new.soon',
      'new.critical',
    ]);
  },
  'modes can be fewer': async (project) => {
    const plist = await prebuild(project, { backgroundModes: ['processing'] });
    assert.deepEqual(plist.UIBackgroundModes, ['processing']);
  },
  'the manifest gets no permission and no service': async (project) => {
    const before = permissions(manifest(project));
    await prebuild(project, {});
    assert.deepEqual(permissions(manifest(project)), before);
  },
  'wrong options are refused by name': async (project) => {
    await assert.rejects(prebuild(project, { identifier: 'a' }), /identifier is not an option/);
    await assert.rejects(prebuild(project, { id: 'a b' }), /id must be/);
    await assert.rejects(prebuild(project, { backgroundModes: ['voip'] }), /backgroundModes/);
  },
};

/** @returns {Promise<{ passed: number, failed: number, skipped: number }>} */
export async function testPlugin() {
  let failed = 0;
  for (const [name, test] of Object.entries(tests)) {
    const project = mkdtempSync(join(tmpdir(), 'nexus-plugin-'));
    try {
      cpSync(join(here, 'template'), project, { recursive: true });
      await test(project);
    } catch (error) {
      failed += 1;
      console.error(`FAIL ${name}: ${error.stack}`);
    } finally {
      rmSync(project, { recursive: true, force: true });
    }
  }
  const passed = Object.keys(tests).length - failed;
  console.log(`plugin: ${passed} passed, ${failed} failed`);
  return { passed, failed, skipped: 0 };
}

if (process.argv[1] === import.meta.filename)
  process.exitCode = (await testPlugin()).failed > 0 ? 1 : 0;
