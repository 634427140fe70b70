import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { diagnose } from '../doctor/diagnose.ts';
import { ProjectFiles } from '../doctor/project-files.ts';
import { definitionsIn, plistArray } from '../doctor/source-scan.ts';
import { findingsText } from './doctor.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'nexus-doctor-'));
});

afterEach(() => rmSync(root, { recursive: true }));

function write(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

const problems = (): readonly string[] =>
  diagnose(new ProjectFiles(root))
    .filter(({ level }) => level === 'problem')
    .map(({ message }) => message);

const plugins = (...list: readonly unknown[]): string =>
  JSON.stringify({ expo: { plugins: list } });

const array = (key: string, texts: readonly string[]): string =>
  `<key>${key}</key><array>${texts.map((text) => `<string>${text}</string>`).join('')}</array>`;

/** The manifests of packages that were installed. */
const installed = (...names: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(names.map((name) => [`node_modules/${name}/package.json`, '{}']));

const IDS = ['com.example.field', 'com.example.field.soon', 'com.example.field.critical'];
const GOOD = {
  ...installed('expo', 'expo-task-manager', 'nexus-store', '@nexus-store/react-native'),
  'package.json': JSON.stringify({
    main: 'index.js',
    dependencies: {
      expo: '58',
      'expo-task-manager': '58',
      'nexus-store': '1',
      '@nexus-store/react-native': '1',
    },
  }),
  'index.js': `import './field';\nimport App from './App';`,
  'App.tsx': `export default () => null;`,
  'field.ts': `
    import '@nexus-store/react-native';
    import { defineBackgroundSync } from 'nexus-store';
    export const background = defineBackgroundSync({ open: () => backend, id: 'com.example.field' });`,
  'ios/Hello/Info.plist': [
    array('UIBackgroundModes', ['fetch', 'processing']),
    array('BGTaskSchedulerPermittedIdentifiers', [...IDS, 'other']),
    array('NexusStoreSyncIdentifiers', IDS),
  ].join('\n'),
  'android/app/src/main/AndroidManifest.xml': '<manifest><application /></manifest>',
};

describe('the doctor', () => {
  test('finds nothing wrong with an app that has everything', () => {
    write(GOOD);

    expect(problems()).toEqual([]);
  });

  test('finds a definition inside a component', () => {
    write({
      ...GOOD,
      'field.ts': `import '@nexus-store/react-native';
        export function App() { const sync = defineBackgroundSync({ open }); }`,
    });

    expect(problems()[0]).toBe('field.ts calls defineBackgroundSync inside a function');
  });

  test('finds that the entry file does not come by the definition', () => {
    write({ ...GOOD, 'index.js': `import App from './App';` });

    expect(problems()[0]).toBe('nothing that index.js imports calls defineBackgroundSync');
  });

  test('finds that nothing imports the platform', () => {
    write({
      ...GOOD,
      'field.ts': `export const sync = defineBackgroundSync({ open, id: 'com.example.field' });`,
    });

    expect(problems()).toEqual([
      'nothing that index.js imports, imports @nexus-store/react-native',
    ]);
  });

  test('knows that expo-router loads routes late', () => {
    write({
      ...GOOD,
      'package.json': GOOD['package.json'].replace('index.js', 'expo-router/entry'),
    });

    expect(problems()[0]).toContain('expo-router');
  });

  test('follows the App of an Expo app without an entry file of its own', () => {
    write({
      ...GOOD,
      'package.json': GOOD['package.json'].replace('index.js', 'node_modules/expo/AppEntry.js'),
      'App.tsx': `import './field';`,
    });

    expect(problems()).toEqual([]);
  });

  test('names every identifier and mode that Info.plist lacks', () => {
    write({
      ...GOOD,
      'ios/Hello/Info.plist':
        array('UIBackgroundModes', ['fetch']) +
        array('BGTaskSchedulerPermittedIdentifiers', IDS.slice(0, 1)),
    });

    expect(problems()).toEqual([
      'ios/Hello/Info.plist: UIBackgroundModes lacks processing',
      'ios/Hello/Info.plist: BGTaskSchedulerPermittedIdentifiers lacks com.example.field.soon, com.example.field.critical',
      `ios/Hello/Info.plist: NexusStoreSyncIdentifiers lacks ${IDS.join(', ')}`,
    ]);
  });

  test('without native folders looks for the plugin', () => {
    const { 'ios/Hello/Info.plist': _plist, ...managed } = GOOD;
    write({ ...managed, 'app.json': '{"expo":{"plugins":[]}}' });
    const without = problems();
    write({ 'app.json': plugins(['@nexus-store/react-native', { id: 'com.example.field' }]) });

    expect(without).toEqual(['the config plugin is not in app.json']);
    expect(problems()).toEqual([]);
  });

  test.each([
    ['app.json', plugins(['@nexus-store/react-native', { id: 'other' }]), 'other'],
    ['app.json', plugins('@nexus-store/react-native'), 'nexus-store.sync'],
    ['app.json', plugins('@nexus-store/react-native', 'expo-router'), 'nexus-store.sync'],
    ['app.json', plugins('@nexus-store/react-native', ['a', { id: 'b' }]), 'nexus-store.sync'],
    [
      'app.json',
      plugins(['@nexus-store/react-native', {}], ['a', { id: 'b' }]),
      'nexus-store.sync',
    ],
    ['app.json', plugins(['@nexus-store/react-native', { a: { b: 1 }, id: 'c' }]), 'c'],
    [
      'app.config.js',
      `module.exports = { plugins: [\n  '@nexus-store/react-native',\n] };`,
      'nexus-store.sync',
    ],
    [
      'app.config.ts',
      `export default { plugins: [['@nexus-store/react-native', { backgroundModes: ['fetch'], id: 'other' }]] };`,
      'other',
    ],
  ])('finds that the plugin in %s has another id than the code: %s', (name, text, given) => {
    const { 'ios/Hello/Info.plist': _plist, ...managed } = GOOD;
    write({ ...managed, [name]: text });

    expect(problems()).toEqual([
      `${name} gives the config plugin the id ${given}, and defineBackgroundSync has com.example.field: iOS would refuse every wake-up`,
    ]);
  });

  test.each(['{ id }', '{ ...shared }', 'options'])(
    'does not claim that ids agree which it cannot read: %s',
    (options) => {
      const { 'ios/Hello/Info.plist': _plist, ...managed } = GOOD;
      write({
        ...managed,
        'app.config.js': `module.exports = { plugins: [['@nexus-store/react-native', ${options}]] };`,
      });
      const given = findingsText(diagnose(new ProjectFiles(root)));
      write({ 'field.ts': GOOD['field.ts'].replace(`'com.example.field'`, 'ID') });

      expect(given).toContain(
        'warning  the id of the config plugin in app.config.js is no plain text',
      );
      expect(findingsText(diagnose(new ProjectFiles(root)))).toContain(
        'warning  the id of defineBackgroundSync is no plain text',
      );
      expect(problems()).toEqual([]);
    },
  );

  test('finds a package that package.json names and nobody installed', () => {
    write(GOOD);
    rmSync(join(root, 'node_modules/nexus-store'), { recursive: true });

    expect(problems()).toEqual(['nexus-store is in package.json, and not in node_modules']);
  });

  test('finds packages in the folder above, and leaves Plug and Play alone', () => {
    const app = Object.entries(GOOD).filter(([path]) => !path.startsWith('node_modules/'));
    const inner = Object.fromEntries(app.map(([path, text]) => [`apps/field/${path}`, text]));
    const problemsOfApp = (): readonly string[] =>
      diagnose(new ProjectFiles(join(root, 'apps/field')))
        .filter(({ level }) => level === 'problem')
        .map(({ message }) => message);
    write({ ...inner, '.pnp.cjs': '' });
    const kept = problemsOfApp();
    rmSync(join(root, '.pnp.cjs'));
    const lacking = problemsOfApp();
    write(installed('expo', 'expo-task-manager', 'nexus-store', '@nexus-store/react-native'));

    expect(kept).toEqual([]);
    expect(lacking).toHaveLength(3);
    expect(problemsOfApp()).toEqual([]);
  });

  test('finds what a manifest takes from WorkManager', () => {
    write({
      ...GOOD,
      'android/app/src/main/AndroidManifest.xml':
        '<manifest><uses-permission android:name="android.permission.RECEIVE_BOOT_COMPLETED" tools:node="remove" /></manifest>',
    });

    expect(problems()).toEqual([
      'android/app/src/main/AndroidManifest.xml removes android.permission.RECEIVE_BOOT_COMPLETED',
    ]);
  });

  test('finds packages that are missing, and versions that differ', () => {
    write({
      ...GOOD,
      'package.json': JSON.stringify({
        main: 'index.js',
        dependencies: { 'nexus-store': '1', '@nexus-store/react-native': '1' },
      }),
      'node_modules/nexus-store/package.json': '{"version":"1.2.0"}',
      'node_modules/@nexus-store/react-native/package.json': '{"version":"1.1.0"}',
    });

    expect(problems()).toEqual([
      'expo-task-manager is missing',
      'expo is missing',
      'nexus-store is 1.2.0 and @nexus-store/react-native is 1.1.0',
    ]);
  });

  test('says so where there is no app', () => {
    expect(problems()).toEqual(['there is no package.json']);
  });

  test.each(['{', 'null', '[]', '"app"', '{"main":5}'])(
    'says that %s is no package.json',
    (text) => {
      write({ ...GOOD, 'package.json': text });

      expect(problems()).toEqual(['package.json is no JSON, or not what npm reads']);
    },
  );

  test('says how to fix what it found', () => {
    write({ ...GOOD, 'index.js': '' });

    expect(findingsText(diagnose(new ProjectFiles(root)))).toContain(
      'PROBLEM  nothing that index.js imports calls defineBackgroundSync\n          Call defineBackgroundSync at module scope',
    );
  });
});

describe('reading sources', () => {
  test('the id is that of the definition, and of nothing in it', () => {
    const idOf = (argument: string): unknown =>
      definitionsIn(`defineBackgroundSync(${argument})`)[0]?.id;

    expect(idOf(`{ open: () => make({ id: 'inner' }), /* id: 'no' */ id: 'own' }`)).toBe('own');
    expect(idOf(`{ open: () => make({ id: 'inner' }) }`)).toBe(undefined);
    expect(idOf(`{ open, config: { id: 'inner' } }`)).toBe(undefined);
    expect(idOf(`{ open, 'id': 'own' }`)).toBe('own');
    expect([idOf('{ id, open }'), idOf('{ id: ID, open }')]).toEqual([null, null]);
    expect([idOf('options'), idOf('{ ...options, open }')]).toEqual([null, null]);
    expect(idOf(`make({ id: 'inner' })`)).toBe(null);
  });

  test('texts and comments do not count', () => {
    const source = `// defineBackgroundSync(\nconst a = 'defineBackgroundSync({';\nconst b = { c: '{' };\ndefineBackgroundSync({ id: "x" });`;

    expect(definitionsIn(source)).toEqual([{ isAtModuleScope: true, id: 'x' }]);
  });

  test('an array of a plist may be empty or not there', () => {
    expect(plistArray('<key>A</key>\n<array/>', 'A')).toEqual([]);
    expect(plistArray('<key>B</key><array></array>', 'A')).toBe(undefined);
  });
});
