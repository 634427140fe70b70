import type { StateLaw } from './law.ts';
import { get, putQueued, putText, scan, write } from './law-schema.ts';

const TEXTS: readonly string[] = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\0\0',
  `it's "quoted" \`twice\``,
  `'); DROP TABLE texts; --`,
  '?1 :name @name $name %s %00 \\0 \\u0000',
  'line\nfeed\r\nand\ttab',
  '\u0001\u001f\u007f\u0085\u2028\u2029',
  '\ufeffwith a byte order mark',
  '\ufffd\uffff\ufffe',
  '👩‍👩‍👧‍👦 👍🏽 🏳️‍🌈',
  '\u{10ffff}\u{10000}',
  'é',
  'e\u0301',
  'שלום עולם ‮evil‬',
  'ﷺ',
  '1',
  '1.0',
  '01',
  ' 1',
  '1e3',
  'NaN',
  'null',
  'undefined',
  'true',
  '[object Object]',
  '{"__proto__":{"polluted":true}}',
  '__proto__',
  'constructor',
  'prototype',
  'hasOwnProperty',
  'toString',
  'rowid',
  'sqlite_schema',
];

const NUMBERS: readonly number[] = [
  0,
  1,
  -1,
  0.1,
  -0.5,
  1 / 3,
  2 ** 31,
  -(2 ** 31) - 1,
  2 ** 32 + 0.5,
  Number.MAX_SAFE_INTEGER,
  Number.MIN_SAFE_INTEGER,
  Number.MAX_VALUE,
  -Number.MAX_VALUE,
  Number.MIN_VALUE,
  Number.EPSILON,
  2 ** 64,
];

/** What was put is what is got. */
export function valueLaws(law: StateLaw): void {
  law('every text is kept as it is, as a key and as a value', async ({ open, expect }) => {
    const storage = await open();
    await write(storage, ...TEXTS.map((text) => putText(text, text)));
    await write(
      storage,
      ...TEXTS.map((text, i) => putQueued(i, { lane: text, due: i, value: text })),
    );

    const found = await get(storage, 'texts', ...TEXTS.map((text) => [text]));
    const queued = await scan(storage, 'queue');

    expect(found).toEqual(TEXTS.map((text) => ({ name: text, value: text })));
    expect(queued.map((record) => record['value'])).toEqual(TEXTS);
    for (const [i, lane] of TEXTS.entries()) {
      const inLane = await scan(storage, 'queue', { index: 'lane', prefix: [lane] });
      expect([lane, inLane.map((record) => record['position'])]).toEqual([lane, [i]]);
    }
  });

  law('every finite number is kept as it is, in a column of any type', async (tools) => {
    const { open, expect } = tools;
    const storage = await open();
    await write(storage, ...NUMBERS.map((value, i) => putQueued(i, { value })));
    const rows = NUMBERS.map((id) => ({ area: 1, kind: 'k', id, value: null, tag: id }));
    await write(storage, ...rows.map((put) => ({ table: 'rows', put })));

    const queued = await scan(storage, 'queue');
    const found = await get(storage, 'rows', ...NUMBERS.map((id) => [1, 'k', id]));

    expect(queued.map((record) => record['value'])).toEqual(NUMBERS);
    expect(found).toEqual(rows);
    for (const tag of NUMBERS) {
      const tagged = await scan(storage, 'rows', { index: 'tag', prefix: [tag] });
      expect(tagged.map((record) => record['id'])).toEqual([tag]);
    }
  });

  law('whole numbers are kept up to the largest safe one', async ({ open, expect }) => {
    const storage = await open();
    const numbers = NUMBERS.filter((number) => Number.isSafeInteger(number));
    await write(storage, ...numbers.map((n) => putQueued(n, { due: n })));

    const found = await get(storage, 'queue', ...numbers.map((n) => [n]));

    expect(found.map((record) => record?.['due'])).toEqual(numbers);
  });

  law('null is kept as null', async ({ open, expect }) => {
    const storage = await open();
    await write(storage, putText('a', null), putQueued(1));

    expect(await get(storage, 'texts', ['a'])).toEqual([{ name: 'a', value: null }]);
    expect(await get(storage, 'queue', [1])).toEqual([
      { position: 1, lane: null, due: null, value: null },
    ]);
  });

  law('a text of ten million characters is kept', async ({ open, expect }) => {
    const storage = await open();
    const long = `${'0123456789'.repeat(1_000_000)}é\0end`;
    await write(storage, putText('long', long));

    const [record] = await get(storage, 'texts', ['long']);

    // Not toEqual on the texts: a failure would print both.
    expect(record?.['value'] === long).toEqual(true);
  });

  law('very long keys are kept apart', async ({ open, expect }) => {
    const storage = await open();
    const stem = 'k'.repeat(50_000);
    const names = ['a', 'b', 'c'].map((end) => stem + end);
    await write(storage, ...names.map((name, i) => putText(name, String(i))));

    const found = await get(storage, 'texts', ...names.map((name) => [name]));
    const between = await scan(storage, 'texts', { from: [`${stem}b`] });

    expect(found.map((record) => record?.['value'])).toEqual(['0', '1', '2']);
    expect(between.map((record) => record['value'])).toEqual(['1', '2']);
  });

  law('a write of thousands of records is one change', async ({ open, expect }) => {
    const storage = await open();
    const numbers = Array.from({ length: 5_000 }, (_, i) => i);

    await write(storage, ...numbers.map((n) => putQueued(n, { value: 'x'.repeat(300) })));
    await write(storage, ...numbers.slice(0, 4_990).map((n) => ({ table: 'queue', delete: [n] })));

    const left = await scan(storage, 'queue');
    expect(left.map((record) => record['position'])).toEqual(numbers.slice(4_990));
  });
}
