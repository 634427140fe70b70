// Scripts for Hermes: bundled from the sources, lowered by the Babel preset with which Expo's Metro lowers an app.
import { globSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';

const here = import.meta.dirname;
const root = join(here, '../../../..');
const require = createRequire(import.meta.url);

/** What a lowered script may need beside what it imports. */
const REACT_NATIVE = join(here, 'globals.mjs');
const OLD_ENGINE = join(here, 'old-engine.mjs');
const RUNNER = join(here, 'test-runner.mjs');

/**
 * @typedef {'hermes-v1' | 'hermes-v0'} Profile `hermes-v1`: as Expo lowers for today's Hermes; `hermes-v0`: for the
 *   Hermes of years ago, which has no classes
 */

/**
 * The entry file of an app, with the whole store.
 *
 * @param {Profile} profile
 */
export async function appScript(profile) {
  return lowered(await bundled(join(here, '../../src/fake/field-entry.ts')), profile);
}

/**
 * Every test file that needs neither Node nor fetch's classes nor a mocking library, in one script that prints its failures and
 * then one line with the counts.
 *
 * @param {Profile} profile
 */
export async function testScript(profile) {
  const files = testFiles();
  const entry = 'entry-of-tests';
  const first = profile === 'hermes-v0' ? [OLD_ENGINE, REACT_NATIVE] : [REACT_NATIVE];
  const lines = [
    ...[...first, ...files.map((file) => join(root, file))].map(
      (path) => `import ${JSON.stringify(path)};`,
    ),
    `import { run } from ${JSON.stringify(RUNNER)};`,
    'run((line) => console.log(line)).then(',
    '  ({ passed, failed }) => console.log(`hermes: ${passed} passed, ${failed} failed`),',
    '  (error) => console.log(`hermes: broke: ${error.stack}`),',
    ');',
  ];
  const plugin = {
    name: 'tests',
    /** @param {string} id */
    resolveId: (id) => (id === entry ? id : id.endsWith(ALL_DATABASES) ? ALL_DATABASES : undefined),
    /** @param {string} id */
    load: (id) =>
      id === entry ? lines.join('\n') : id === ALL_DATABASES ? MEMORY_ALONE : undefined,
    /** @param {string} code @param {string} id */
    transform(code, id) {
      if (!/\.test\.ts$|-fixture\.ts$|\/fake\//.test(id)) return undefined;
      // Tests may use what Node has; the code under test may not.
      const plain = code.replaceAll('.toSorted(', '.slice().sort(');
      if (!id.endsWith('.test.ts')) return plain;
      const file = JSON.stringify(relative(root, id));
      return `import { inFile } from ${JSON.stringify(RUNNER)};\ninFile(${file});\n${plain}`;
    },
  };
  const code = await bundled(entry, [plugin]);
  return { code: lowered(code, profile), files: files.length };
}

/** What runs over every driver elsewhere runs over memory here. */
const ALL_DATABASES = '/storage/fakes/databases.ts';
const MEMORY_ALONE = `
  import { memoryDatabase, memoryStorage } from ${JSON.stringify(join(root, 'packages/nexus-store/src/storage/memory/index.ts'))};
  const create = () => {
    const database = memoryDatabase();
    return () => memoryStorage({ database });
  };
  export const databases = [{ name: 'memory', create }];
`;

function testFiles() {
  const patterns = [
    'packages/nexus-store/src/{core,remote,testing}/**/*.test.ts',
    'packages/nexus-store/src/storage/memory/*.test.ts',
    'packages/react-native/src/**/*.test.ts',
  ];
  return globSync(patterns, { cwd: root })
    .filter((file) => !/\/fleet\/|speed/.test(file)) // they measure time on a fast engine
    .filter((file) => !needsNode(join(root, file)))
    .sort();
}

/**
 * Whether a file, or one of its own that it imports, needs Node, fetch's classes or a mocking library.
 *
 * @param {string} path
 * @returns {boolean}
 */
function needsNode(path) {
  const known = NEEDS_NODE.get(path);
  if (known !== undefined) return known;
  NEEDS_NODE.set(path, false);
  const text = readFileSync(path, 'utf8');
  const imported = [...text.matchAll(/from '(\.[^']+)'/g)].map((match) =>
    join(path, '..', match[1]),
  );
  const isNeeded =
    /from 'node:|fast-check|\bvi\b|new Response\(/.test(text) ||
    imported.some((file) => !file.endsWith(ALL_DATABASES) && needsNode(file));
  NEEDS_NODE.set(path, isNeeded);
  return isNeeded;
}

/** @type {Map<string, boolean>} */
const NEEDS_NODE = new Map();

/**
 * @param {string} input
 * @param {object[]} plugins
 * @returns {Promise<string>} the file and all it imports, but Expo's packages, as one script
 */
async function bundled(input, plugins = []) {
  // The bundler of the main job's test runner.
  const main = createRequire(join(root, 'package.json'));
  const { rolldown } = await import(pathToFileURL(main.resolve('rolldown')).href);
  const build = await rolldown({
    input,
    plugins,
    external: /^expo-/,
    treeshake: plugins.length === 0,
    onLog: () => {}, // files that import each other in more than one way are as intended
    resolve: {
      conditionNames: ['nexus-source', 'import', 'default'],
      alias: { vitest: RUNNER, 'abort-controller': require.resolve('abort-controller') },
    },
  });
  const { output } = await build.generate({ format: 'cjs' });
  await build.close();
  return output[0].code;
}

/**
 * @param {string} code
 * @param {Profile} profile
 * @returns {string}
 */
function lowered(code, profile) {
  const babel = require('@babel/core');
  const options = {
    disableImportExportTransform: true,
    enableBabelRuntime: false,
    unstable_transformProfile: profile === 'hermes-v1' ? 'hermes-stable' : profile,
  };
  const result = babel.transformSync(code, {
    filename: 'script.js',
    presets: [[require.resolve('babel-preset-expo'), options]],
    caller: {
      name: 'metro',
      bundler: 'metro',
      engine: 'hermes',
      platform: 'android',
      isDev: false,
    },
    babelrc: false,
    configFile: false,
    compact: false,
    sourceType: 'script',
  });
  // Hermes 0.12 cannot read a call of a function named `of` behind `yield`.
  return result.code.replaceAll('yield of(', 'yield (of)(');
}
