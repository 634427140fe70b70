// What runs on phones uses nothing that Hermes lacks: looked for in the sources, where a method that a test does
// not reach would be found on somebody's phone.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { runInContext } from 'node:vm';
import { expect, test } from 'vitest';
import { HERMES_BUILTINS, hermesContext, ownersOf } from './fake/hermes-context.ts';

const packages = join(import.meta.dirname, '../..');
/** What an app's bundle may hold. */
const FOLDERS = [
  'nexus-store/src/core',
  'nexus-store/src/platforms/standard',
  'nexus-store/src/remote',
  'nexus-store/src/storage/memory',
  'nexus-store/src/storage/sqlite',
  'nexus-store/src/react',
  'react-native/src',
];
const NOT_IN_APPS = /\.test\.|\/fake\/|\/node-|\/better-sqlite3-|\/inspector\/|\/react-inspector/;

/** What React Native brings; its `URL` is a simple one. */
const FROM_ELSEWHERE = new Set(['AbortController', 'AbortSignal', 'Headers', 'URL']);
const ASKED_FOR: Readonly<Record<string, readonly string[]>> = {
  // Only where an answer has a stream, and then Expo's runtime brings it.
  'nexus-store/src/remote/http/bounded-body.ts': ['TextDecoder'],
  'nexus-store/src/remote/http/read-events.ts': ['TextDecoder'],
  // Asked for by `typeof`.
  'nexus-store/src/platforms/standard/standard-runtime.ts': ['MessageChannel'],
  'nexus-store/src/storage/sqlite/utf8.ts': ['TextDecoder'],
};

const sources = FOLDERS.flatMap((folder) =>
  readdirSync(join(packages, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => join(packages, folder, name))
    .filter((path) => !NOT_IN_APPS.test(path)),
);

/** Without comments and texts, roughly: both may speak of what is missing. */
function codeOf(path: string): string {
  return readFileSync(path, 'utf8')
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/^\s*\/\/.*$/gm, '')
    .replaceAll(/'(?:[^'\\\n]|\\.)*'/g, "''");
}

/** HTML's methods of texts are as old as they are unused. */
const OF_HTML =
  /^(anchor|big|blink|bold|fixed|fontcolor|fontsize|italics|link|small|strike|su[bp])$/;

function methodsOf(owner: string, object: object): readonly string[] {
  const names = Object.getOwnPropertyNames(object).filter(
    (name) => typeof Object.getOwnPropertyDescriptor(object, name)?.value === 'function',
  );
  return owner === 'String.prototype' ? names.filter((name) => !OF_HTML.test(name)) : names;
}

const known = new Set(Object.values(HERMES_BUILTINS).flat());
const missing = (names: readonly string[]): readonly string[] =>
  names.filter((name) => !known.has(name) && !name.startsWith('Symbol('));

test('no source calls a method that no object of Hermes has', () => {
  // Iterator helpers are left to the compiler, whose library does not know them: their names are common.
  const methods = Object.entries(ownersOf())
    .filter(([owner]) => owner in HERMES_BUILTINS && owner !== '%IteratorPrototype%')
    .flatMap(([owner, object]) => missing(methodsOf(owner, object)));
  const call = new RegExp(`\\.(${[...new Set(methods)].join('|')})\\(`, 'g');

  const found = sources.flatMap((path) =>
    [...codeOf(path).matchAll(call)].map(([text]) => `${relative(packages, path)}: ${text}`),
  );

  expect(methods).toContain('toSorted');
  expect(sources.length).toBeGreaterThan(120);
  expect(found).toEqual([]);
});

test('no source uses a global that neither Hermes nor React Native has', () => {
  const globals = missing(
    Object.getOwnPropertyNames(globalThis).filter((name) => /^[A-Z]/.test(name)),
  );
  const names = [...globals, 'structuredClone', 'process', 'Buffer', 'require'].filter(
    (name) => !FROM_ELSEWHERE.has(name),
  );
  const use = new RegExp(`(?:\\bnew |[^.\\w'"])(${names.join('|')})(?:\\(|\\.\\w+\\()`, 'g');

  const found = sources.flatMap((path) => {
    const name = relative(packages, path);
    return [...codeOf(path).matchAll(use)]
      .map(([, used = '']) => used)
      .filter((used) => ASKED_FOR[name]?.includes(used) !== true)
      .map((used) => `${name}: ${used}`);
  });

  expect(names).toContain('TextDecoder');
  expect(names).toContain('Intl');
  expect(found).toEqual([]);
});

test('the context of the tests has what Hermes has, and no more', () => {
  const context = hermesContext({});
  const has = (code: string): unknown => runInContext(`typeof ${code}`, context);

  expect(['[].toSorted', 'Object.groupBy', 'Intl', '[].values().map'].map(has)).toEqual(
    Array.from({ length: 4 }, () => 'undefined'),
  );
  expect(['[].toReversed', 'Object.hasOwn', 'WeakRef', 'Symbol.asyncIterator'].map(has)).toEqual([
    'function',
    'function',
    'function',
    'symbol',
  ]);
});
