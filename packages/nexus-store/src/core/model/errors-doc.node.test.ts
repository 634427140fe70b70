import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const sources = join(import.meta.dirname, '../..');
const doc = readFileSync(join(sources, '../../../docs/reference/errors.md'), 'utf8');

const CODE = /'((?:storage|queue|store|remote|schedule|usage)\/[a-z-]+)'/g;

const codesIn = (text: string): string[] =>
  [...text.matchAll(CODE)].map(([, code]) => String(code));

/** The codes of the unions, such as `StorageErrorCode`. */
function declaredCodes(): Set<string> {
  const text = readFileSync(join(sources, 'core/model/errors.ts'), 'utf8');
  return new Set(codesIn(text.slice(0, text.indexOf('export interface ErrorOptions'))));
}

/** Every code that the shipped sources name, thrown or stored as a failure. */
function namedCodes(): Set<string> {
  const files = readdirSync(sources, { recursive: true, encoding: 'utf8' }).filter(
    (path) => path.endsWith('.ts') && !path.endsWith('.test.ts') && !path.startsWith('testing'),
  );
  return new Set(files.flatMap((path) => codesIn(readFileSync(join(sources, path), 'utf8'))));
}

const headings = [...doc.matchAll(/^### `([^`]+)`$/gm)].map(([, code]) => String(code));

describe('docs/reference/errors.md', () => {
  test('has one heading for every code, and none for anything else', () => {
    const codes = new Set([...declaredCodes(), ...namedCodes()]);

    expect(declaredCodes().size).toBeGreaterThan(30);
    expect(headings.toSorted()).toEqual([...codes].toSorted());
  });

  test('says something below each heading', () => {
    const sections = doc.split(/^### /m).slice(1);

    for (const section of sections)
      expect(section.split('\n').slice(1).join('').length).toBeGreaterThan(30);
  });
});
