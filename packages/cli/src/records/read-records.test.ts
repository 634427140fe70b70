import { describe, expect, test } from 'vitest';
import { readRecords, type ReadRecordsOptions } from './read-records.ts';
import { MAX_RECORD_BYTES, UnreadableRest, type RecordRead } from './record.ts';

interface Reading {
  readonly records: readonly RecordRead[];
  /** Where the file could not be read on, and why. */
  readonly stop: { readonly line: number; readonly reason: string } | undefined;
}

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

async function read(
  text: string | Uint8Array,
  options: ReadRecordsOptions,
  chunkSize = 64 * 1024,
): Promise<Reading> {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  const records: RecordRead[] = [];
  try {
    for await (const portion of readRecords(chunksOf(bytes, chunkSize), options)) {
      records.push(...portion);
    }
  } catch (error) {
    if (!(error instanceof UnreadableRest)) throw error;
    return { records, stop: { line: error.line, reason: error.message } };
  }
  return { records, stop: undefined };
}

const csv = (text: string | Uint8Array, chunkSize?: number): Promise<Reading> =>
  read(text, { format: 'csv' }, chunkSize);
const json = (text: string, chunkSize?: number): Promise<Reading> =>
  read(text, { format: 'json' }, chunkSize);

const valuesOf = ({ records }: Reading): readonly unknown[] =>
  records.flatMap((record) => ('value' in record ? [record.value] : []));
const problemsOf = ({ records }: Reading): readonly object[] =>
  records.filter((record) => 'problem' in record);

describe('CSV', () => {
  test.each(['\n', '\r\n', '\r'])('is read whatever ends its lines: %j', async (ending) => {
    const lines = ['id,text', 'a,"x,y"', '', `b,"1${ending}2${ending}${ending}3"`, 'c,', '"d",""'];

    for (const text of [lines.join(ending), lines.join(ending) + ending]) {
      expect(await csv(text)).toEqual({
        records: [
          { line: 2, value: { id: 'a', text: 'x,y' } },
          { line: 4, value: { id: 'b', text: `1${ending}2${ending}${ending}3` } },
          { line: 8, value: { id: 'c', text: '' } },
          { line: 9, value: { id: 'd', text: '' } },
        ],
        stop: undefined,
      });
    }
  });

  test('of odd fields is the same however the file is cut into chunks', async () => {
    const fields = [
      '',
      'a',
      '"',
      '""',
      ',',
      '\n',
      '\r\n',
      'é€😀',
      ' x ',
      '\u{feff}',
      'a"b',
      '"\n"',
    ];
    const rows = fields.map((text, index) => ({
      id: `i${index}`,
      text,
      more: fields[index - 1] ?? '',
    }));
    const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
    const text = [
      'id,text,more',
      ...rows.map((row) => Object.values(row).map(quoted).join(',')),
    ].join('\r\n');

    for (const size of [1, 2, 3, 5, 7, 64, 1_000]) {
      const reading = await csv(text, size);

      expect([size, reading.stop, valuesOf(reading)]).toEqual([size, undefined, rows]);
    }
  });

  test('may have a delimiter of several characters', async () => {
    const options = { format: 'csv', delimiter: '||' } as const;

    for (const size of [1, 4, 100]) {
      const reading = await read('id||t\na||"x||y"\nb||1|2\n', options, size);

      expect(valuesOf(reading)).toEqual([
        { id: 'a', t: 'x||y' },
        { id: 'b', t: '1|2' },
      ]);
    }
  });

  test('with a quote that is never closed ends where that record begins', async () => {
    const lines = Array.from({ length: 5_000 }, (_, index) => `r${index + 1},x`);
    lines[1] = 'r2,"x';

    for (const size of [100, 64 * 1024]) {
      const { records, stop } = await csv(`id,t\n${lines.join('\n')}\n`, size);

      expect(records).toEqual([{ line: 2, value: { id: 'r1', t: 'x' } }]);
      expect(stop).toEqual({ line: 3, reason: 'a quote is never closed' });
    }
  });

  test('with a record that is too long ends where that record begins', async () => {
    const line = 'r,x\n'.repeat(1_000);
    const many = line.repeat(Math.ceil(MAX_RECORD_BYTES / line.length) + 1);

    const unclosed = await csv(`id,t\na,1\n\nb,"x\n${many}`);
    const endless = await csv(`id,t\na,1\nb,${'x'.repeat(MAX_RECORD_BYTES + 1)}\nc,1\n`);

    for (const [{ records, stop }, line] of [
      [unclosed, 4],
      [endless, 3],
    ] as const) {
      expect(records).toEqual([{ line: 2, value: { id: 'a', t: '1' } }]);
      expect(stop?.line).toBe(line);
      expect(stop?.reason).toContain('32 MB');
    }
  });

  test.each([
    ['b,"5" pipe"', 'follows a closing quote'],
    ['b,5" pipe', 'in the middle'],
    ['b,"he said "yes", and left"', 'follows a closing quote'],
  ])('with a quote out of place, %s, ends where that record begins', async (line, reason) => {
    const { records, stop } = await csv(`id,t\na,1\n${line}\nc,fine\n`);

    expect(records).toEqual([{ line: 2, value: { id: 'a', t: '1' } }]);
    expect(stop).toEqual({ line: 3, reason: expect.stringContaining(reason) });
  });

  test('with a quote too many after which a record goes on over lines ends where it begins', async () => {
    const { records, stop } = await csv('id,t\na,1\nb,"5" pipe\nc,2\nd,"x"\ne,"y"\n');

    expect(records).toEqual([{ line: 2, value: { id: 'a', t: '1' } }]);
    expect(stop).toEqual({ line: 3, reason: expect.stringContaining('follows a closing quote') });
  });

  test('names the line on which a record of several lines begins', async () => {
    const reading = await csv('id,t\na,"1\n2\n3"\nb,"1\n2",too,many\nc,1\n');

    expect(reading.records.map(({ line }) => line)).toEqual([2, 5, 7]);
    expect(problemsOf(reading)).toEqual([
      { line: 5, problem: expect.stringMatching(/^4 fields.+ 2$/) },
    ]);
  });

  test('whose first line is damaged takes no other line for it', async () => {
    expect(await csv('id,na"me\na,1\nb,2\n')).toEqual({
      records: [],
      stop: { line: 1, reason: expect.stringContaining('in the middle') },
    });
  });

  test('that is not UTF-8 says so, and what came before is there', async () => {
    const text = Buffer.concat([
      Buffer.from(`id,t\na,é\n${' '.repeat(200)}\nb,`),
      Buffer.from([0xe9]),
      Buffer.from('\n'),
    ]);

    const { records, stop } = await csv(text, 100);

    expect(records[0]).toEqual({ line: 2, value: { id: 'a', t: 'é' } });
    expect(stop?.reason).toContain('UTF-8');
  });
});

/** A file of four records, with one character of the second one taken away or put in, anywhere. */
function damaged(lines: readonly string[], ending: string, signs: readonly string[]): string[] {
  const line = lines[2] as string;
  const places = Array.from({ length: line.length + 1 }, (_, at) => at);
  const found = places.flatMap((at) => [
    ...signs.map((sign) => line.slice(0, at) + sign + line.slice(at)),
    ...(signs.includes(line[at] ?? '') ? [line.slice(0, at) + line.slice(at + 1)] : []),
  ]);
  return found.map((text) => lines.with(2, text).join(ending));
}

interface Row {
  readonly id: string;
}

/** What is undamaged is read, or the reading says that it ends at the damage. */
function expectNothingSwallowed(
  text: string,
  reading: Reading,
  rows: readonly Row[],
  line: number,
): void {
  const ids = new Set(valuesOf(reading).map((value) => (value as Row).id));
  const others = rows.filter(({ id }) => id !== 'b').map(({ id }) => id);
  const read = others.filter((id) => ids.has(id));
  const expected = reading.stop === undefined ? others : others.slice(0, read.length);
  expect([text, read]).toEqual([text, expected]);
  expect([text, read[0]]).toEqual([text, 'a']);
  if (reading.stop !== undefined) expect(reading.stop.line, text).toBeGreaterThanOrEqual(line);
}

describe('one quote or bracket too many or too few never swallows other records', () => {
  const rows = ['a', 'b', 'c', 'd'].map((id) => ({ id, text: 'x y', more: `${id}, z` }));

  test.each([
    ['quoted', (row: object) => Object.values(row).map((text) => `"${text}"`)],
    ['bare', (row: object) => Object.values(row).map((text: string) => text.replaceAll(',', ';'))],
  ])('in CSV with %s fields', async (_name, fieldsOf) => {
    const lines = ['id,text,more', ...rows.map((row) => fieldsOf(row).join(','))];

    for (const text of damaged(lines, '\n', ['"'])) {
      expectNothingSwallowed(text, await csv(text), rows, 3);
    }
  });

  test.each(['\n', ' '])('in JSON whose elements are parted by %j', async (ending) => {
    const elements = rows.map((row) => JSON.stringify({ ...row, list: [{ n: 1 }, 'x'] }));
    const lines = ['[', ...elements.map((text, index) => (index < 3 ? `${text},` : text)), ']'];

    for (const text of damaged(lines, ending, ['"', '{', '}', '[', ']'])) {
      expectNothingSwallowed(text, await json(text), rows, ending === '\n' ? 3 : 1);
    }
  });

  test('in JSON objects one after another', async () => {
    const lines = ['', ...rows.map((row) => JSON.stringify({ ...row, list: [{ n: 1 }, 'x'] }))];

    for (const text of damaged(lines, '\n', ['"', '{', '}', '[', ']'])) {
      expectNothingSwallowed(text, await json(text), rows, 3);
    }
  });

  test('in NDJSON, where each line stands alone', async () => {
    const lines = ['', ...rows.map((row) => JSON.stringify(row))];

    for (const text of damaged(lines, '\n', ['"', '{', '}'])) {
      const reading = await read(text, { format: 'ndjson' });

      expect(reading.stop).toBeUndefined();
      expectNothingSwallowed(text, reading, rows, 3);
    }
  });
});

describe('JSON', () => {
  test('with an element that is none loses that one only, as long as its end is certain', async () => {
    const reading = await json('[{"id":"a","n":01},\n{"id":nope},\n{"id":"c"}, 1 2, {"id":"d"}]');

    expect(problemsOf(reading)).toMatchObject([{ line: 1 }, { line: 2 }, { line: 3 }]);
    expect(valuesOf(reading)).toEqual([{ id: 'c' }, { id: 'd' }]);
  });

  test('that is cut short names the line on which its last record begins', async () => {
    const { records, stop } = await json('[{"id":"a"},\n{"id":"b",\n"n":[1,\n2');

    expect(records).toEqual([{ line: 1, value: { id: 'a' } }]);
    expect(stop).toEqual({ line: 2, reason: expect.stringContaining('cut short') });
  });

  test('of every kind of value is the same however the file is cut into chunks', async () => {
    const values = [
      { id: 'a', text: '"\\"{[,:]}\\\\', list: [[], {}, ['x', null, true, -1.5e3]] },
      { id: 'b', 'odd "key"': { '': 'é€😀\n' } },
    ];

    for (const size of [1, 2, 3, 1_000]) {
      for (const text of [
        JSON.stringify(values, undefined, 1),
        values.map((value) => JSON.stringify(value)).join(''),
      ]) {
        const reading = await json(text, size);

        expect([reading.stop, valuesOf(reading)]).toEqual([undefined, values]);
      }
    }
  });

  test('nested beyond all measure ends there, in little memory', async () => {
    const { records, stop } = await json(`[{"id":"a"},${'['.repeat(5_000_000)}`);

    expect(records).toHaveLength(1);
    expect(stop?.reason).toContain('deep');
  });
});
