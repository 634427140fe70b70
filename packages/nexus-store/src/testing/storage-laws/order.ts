import type { Key, KeyPart, ScanRange, Storage, StoredRecord } from '../../core/ports/storage.ts';
import type { LawTools, StateLaw } from './law.ts';
import { get, putQueued, putText, scan, write } from './law-schema.ts';

/** The order of keys, ranges of the primary key and of indexes. */
export function orderLaws(law: StateLaw): void {
  keyOrderLaws(law);
  rangeLaws(law);
  indexLaws(law);
  getLaws(law);
}

function keyOrderLaws(law: StateLaw): void {
  law('whole numbers come in the order of their values', async ({ open, expect }) => {
    const storage = await open();
    const largest = Number.MAX_SAFE_INTEGER;
    const positions = [10, -1, 2, largest, 0, 1, -largest, 2 ** 44, 2 ** 32, 9];
    await write(storage, ...positions.map((position) => putQueued(position)));

    const found = (await scan(storage, 'queue')).map((record) => record['position']);

    expect(found).toEqual([-largest, -1, 0, 1, 2, 9, 10, 2 ** 32, 2 ** 44, largest]);
  });

  law('texts come in the order of their characters, not of a language', async (tools) => {
    const { open, expect } = tools;
    const storage = await open();
    const ordered = ['', ' ', '!', '10', '2', 'A', 'Z', 'a', 'aa', 'ab', 'b', 'z', 'ä', 'é', '日'];
    await write(storage, ...[...ordered].reverse().map((name) => putText(name, null)));

    const found = (await scan(storage, 'texts')).map((record) => record['name']);

    expect(found).toEqual(ordered);
  });

  law('numbers come before texts, and are other keys than their digits', async (tools) => {
    const { open, expect } = tools;
    const storage = await open();
    const ordered = [
      -1e300,
      -2,
      -1.5,
      0,
      5e-324,
      0.1,
      1,
      1.5,
      2,
      10,
      1e300,
      '',
      '-1',
      '1',
      '10',
      '2',
    ];
    await write(storage, ...[...ordered].reverse().map((id) => row(1, 'k', id)));

    const found = (await scan(storage, 'rows')).map((record) => record['id']);

    expect(found).toEqual(ordered);
    const values = (await get(storage, 'rows', [1, 'k', 1], [1, 'k', '1'])).map((r) => r?.['id']);
    expect(values).toEqual([1, '1']);
  });

  law('texts beyond the first 65,536 characters have one order throughout', async (tools) => {
    const { open, expect } = tools;
    const storage = await open();
    const names = ['\u{1f600}', '\ufffd', 'z', '\ue000', '\u{10ffff}', '\ud7ff'];
    await write(storage, ...names.map((name) => putText(name, null)));
    await write(storage, ...names.map((name, i) => putQueued(i, { lane: name, due: 1 })));

    const byKey = (await scan(storage, 'texts')).map((record) => String(record['name']));
    const byIndex = (await scan(storage, 'queue', { index: 'lane' })).map((r) => String(r['lane']));

    const byPoint = ['z', '\ud7ff', '\ue000', '\ufffd', '\u{1f600}', '\u{10ffff}'];
    const byUnit = [...names].sort();
    const isByPoint = byKey.join() === byPoint.join();
    expect(byKey).toEqual(isByPoint ? byPoint : byUnit);
    expect(byIndex).toEqual(byKey);
    const [lower = '', upper = ''] = isByPoint ? ['\ue000', '\u{1f600}'] : ['\u{1f600}', '\ue000'];
    const between = await scan(storage, 'texts', { from: [lower], to: [upper] });
    expect(between.map((record) => record['name'])).toEqual(
      byKey.slice(byKey.indexOf(lower), byKey.indexOf(upper) + 1),
    );
  });

  law('minus zero is zero', async ({ open, expect }) => {
    const storage = await open();
    await write(storage, row(1, 'k', 0), putQueued(0));
    await write(storage, row(1, 'k', -0, 'second'), putQueued(-0, { value: 'second' }));

    const found = [...(await scan(storage, 'rows')), ...(await scan(storage, 'queue'))];

    expect(found.map((record) => record['value'])).toEqual(['second', 'second']);
    expect((await get(storage, 'rows', [1, 'k', -0], [1, 'k', 0])).length).toEqual(2);
  });
}

function rangeLaws(law: StateLaw): void {
  law('every range of the primary key is what a filter finds', async (tools) => {
    const storage = await tools.open();
    const parts: KeyPart[] = [1, 2, 'a', 'b'];
    const records = [1, 2].flatMap((area) =>
      ['k', 'l', 'm'].flatMap((kind) => parts.map((id) => row(area, kind, id).put)),
    );
    await write(storage, ...records.map((put) => ({ table: 'rows', put })));

    const key = ['area', 'kind', 'id'];
    const bounds: Key[] = [[1], [1, 'l'], [1, 'l', 2], [2, 'k', 'a'], [2, 'x']];
    await expectRanges(tools, storage, { table: 'rows', records, key, tail: [] }, [
      ...combinations([], bounds),
      ...combinations([1], [['k'], ['l'], ['l', 'a'], ['lx'], ['m', 5]]),
      ...combinations([2, 'l'], [[1], [1.5], ['a'], ['zz']]),
      ...combinations([2, 'l', 'a'], []),
    ]);
  });

  law('every range of an index is what a filter finds', async (tools) => {
    const storage = await tools.open();
    const records = ['x', 'y', null, 'z'].flatMap((lane, i) =>
      [3, 1, null, 2, 2].map((due, j) => putQueued(100 - i * 10 - j, { lane, due }).put),
    );
    await write(storage, ...records.map((put) => ({ table: 'queue', put })));

    const tail = ['position'];
    await expectRanges(
      tools,
      storage,
      { table: 'queue', index: 'lane', records, key: ['lane', 'due'], tail },
      [
        ...combinations([], [['x'], ['x', 2], ['y', 1], ['yy'], ['z', 3]]),
        ...combinations(['x'], [[1], [2], [9]]),
        ...combinations(['y', 2], []),
      ],
    );
    await expectRanges(
      tools,
      storage,
      { table: 'queue', index: 'due', records, key: ['due'], tail },
      combinations([], [[1], [2], [2.5], [3]]),
    );
  });

  law('a scan takes no more than its limit, from the end it begins at', async (tools) => {
    const { open, expect } = tools;
    const storage = await open();
    await write(storage, ...[1, 2, 3, 4, 5].map((position) => putQueued(position)));
    const positions = async (range: Partial<ScanRange>): Promise<unknown> =>
      (await scan(storage, 'queue', range)).map((record) => record['position']);

    expect(await positions({ limit: 2 })).toEqual([1, 2]);
    expect(await positions({ limit: 2, reverse: true })).toEqual([5, 4]);
    expect(await positions({ limit: 0 })).toEqual([]);
    expect(await positions({ from: [2], fromOpen: true, limit: 2 })).toEqual([3, 4]);
    expect(await positions({ to: [4], toOpen: true, limit: 2, reverse: true })).toEqual([3, 2]);
    expect(await positions({ from: [-Infinity], to: [Infinity] })).toEqual([1, 2, 3, 4, 5]);
  });
}

function indexLaws(law: StateLaw): void {
  law('an index holds the records in which none of its columns is null', async (tools) => {
    const { open, expect } = tools;
    const storage = await open();
    await write(
      storage,
      putQueued(1, { lane: 'a' }),
      putQueued(2, { due: 1 }),
      putQueued(3, { lane: 'a', due: 9 }),
      putQueued(4),
      putQueued(5, { lane: '', due: 0 }),
    );

    expect(await positions(storage, 'lane')).toEqual([5, 3]);
    expect(await positions(storage, 'due')).toEqual([5, 2, 3]);
  });

  law('replacing and deleting records keeps the indexes true', async ({ open, expect }) => {
    const storage = await open();
    await write(storage, ...[1, 2, 3, 4].map((n) => putQueued(n, { lane: 'a', due: n })));

    await write(
      storage,
      putQueued(1, { lane: 'b', due: 1 }),
      putQueued(2, { lane: 'a', due: null }),
      putQueued(3, { lane: 'a', due: 10 }),
      { table: 'queue', delete: [4] },
      putQueued(5, { lane: 'a', due: 3 }),
    );

    expect(await positions(storage, 'lane')).toEqual([5, 3, 1]);
    expect(await positions(storage, 'due')).toEqual([1, 5, 3]);
    await write(storage, putQueued(2, { lane: 'a', due: 7 }));
    expect(await positions(storage, 'lane')).toEqual([5, 2, 3, 1]);
  });

  law('records that are equal in an index come in the order of the primary key', async (tools) => {
    const { open, expect } = tools;
    const storage = await open();
    const ids: KeyPart[] = ['b', 2, 'a', 1];
    await write(
      storage,
      ...ids.map((id) => row(1, 'k', id, null, 'same')),
      row(0, 'z', 9, null, 'same'),
    );

    const found = await scan(storage, 'rows', { index: 'tag', prefix: ['same'] });
    const backwards = await scan(storage, 'rows', {
      index: 'tag',
      prefix: ['same'],
      reverse: true,
    });

    expect(found.map((record) => record['id'])).toEqual([9, 1, 2, 'a', 'b']);
    expect([...backwards].reverse()).toEqual(found);
  });
}

function getLaws(law: StateLaw): void {
  law('records are got in the order asked, also twice', async ({ open, expect }) => {
    const storage = await open();
    await write(storage, ...[1, 2, 3].map((n) => putQueued(n)), row(1, 'k', 1), row(1, 'k', '1'));

    const queued = await get(storage, 'queue', [3], [9], [1], [3]);
    const rows = await get(storage, 'rows', [1, 'k', '1'], [1, 'k', 1], [2, 'k', 1], [1, 'k', '1']);

    expect(queued.map((record) => record?.['position'])).toEqual([3, undefined, 1, 3]);
    expect(rows.map((record) => record?.['id'])).toEqual(['1', 1, undefined, '1']);
  });

  law('many records are got at once', async ({ open, expect }) => {
    const storage = await open();
    const numbers = Array.from({ length: 1_000 }, (_, i) => i);
    await write(storage, ...numbers.map((n) => putQueued(n)));
    await write(storage, ...numbers.map((n) => row(n % 2, 'k', n % 3 === 0 ? n : `${n}`)));

    const asked = numbers.map((n) => (n * 7) % 1_100);
    const queued = await get(storage, 'queue', ...asked.map((n) => [n]));
    const rows = await get(storage, 'rows', ...numbers.map((n) => [n % 2, 'k', `${n}`]));
    const sorted = [...numbers].sort((a, b) => (a % 2) - (b % 2));
    const byArea = await get(storage, 'rows', ...sorted.map((n) => [n % 2, 'k', `${n}`]));

    expect(queued.map((r) => r?.['position'])).toEqual(
      asked.map((n) => (n < 1_000 ? n : undefined)),
    );
    const expected = (n: number): string | undefined => (n % 3 === 0 ? undefined : `${n}`);
    expect(rows.map((r) => r?.['id'])).toEqual(numbers.map(expected));
    expect(byArea.map((r) => r?.['id'])).toEqual(sorted.map(expected));
  });

  law('records given out and taken in are copies', async ({ open, expect }) => {
    const storage = await open();
    const given = { name: 'a', value: 'mine' };
    await write(storage, { table: 'texts', put: given });
    given.value = 'changed after the write';

    const taken = await get(storage, 'texts', ['a'], ['a']);
    for (const record of taken) (record as { value: string }).value = 'changed by the reader';
    const scanned = await scan(storage, 'texts');
    (scanned[0] as { value: string }).value = 'changed by the reader';

    expect(await get(storage, 'texts', ['a'])).toEqual([{ name: 'a', value: 'mine' }]);
  });
}

interface Records {
  readonly table: string;
  readonly index?: string;
  readonly records: readonly StoredRecord[];
  readonly key: readonly string[];
  /** The primary key behind an index's columns. */
  readonly tail: readonly string[];
}

/** Every bound as each end, open and closed, both ways. */
function combinations(prefix: Key, bounds: readonly Key[]): Partial<ScanRange>[] {
  const ends = [undefined, ...bounds];
  const ranges: Partial<ScanRange>[] = [];
  for (const from of ends) {
    for (const to of ends) {
      for (let flags = 0; flags < 8; flags += 1) {
        ranges.push({
          prefix,
          ...(from === undefined ? {} : { from }),
          ...(to === undefined ? {} : { to }),
          fromOpen: (flags & 1) !== 0,
          toOpen: (flags & 2) !== 0,
          reverse: (flags & 4) !== 0,
        });
      }
    }
  }
  return ranges;
}

async function expectRanges(
  { expect }: LawTools,
  storage: Storage,
  table: Records,
  ranges: readonly Partial<ScanRange>[],
): Promise<void> {
  const found = await storage.transact('read', async (tx) => {
    const all: unknown[] = [];
    for (const range of ranges) {
      const index = table.index === undefined ? {} : { index: table.index };
      all.push(await tx.scan(table.table, { limit: 1_000, ...index, ...range }));
    }
    return all;
  });
  for (const [i, range] of ranges.entries()) {
    expect({ range, found: found[i] }).toEqual({ range, found: filtered(table, range) });
  }
}

/** The meaning of a range, without any cleverness. */
function filtered({ records, key, tail }: Records, range: Partial<ScanRange>): StoredRecord[] {
  const { prefix = [], from, to, fromOpen, toOpen, reverse } = range;
  const keyOf = (record: StoredRecord, columns: readonly string[]): Key =>
    columns.map((column) => record[column] as KeyPart);
  const kept = records.filter((record) => {
    if (key.some((column) => record[column] === null)) return false;
    const own = keyOf(record, key);
    if (compare(own, prefix) !== 0) return false;
    const rest = own.slice(prefix.length);
    if (from !== undefined && compare(rest, from) < (fromOpen ? 1 : 0)) return false;
    return to === undefined || compare(rest, to) <= (toOpen ? -1 : 0);
  });
  kept.sort((a, b) => compare(keyOf(a, [...key, ...tail]), keyOf(b, [...key, ...tail])));
  return reverse ? kept.reverse() : kept;
}

function compare(left: Key, right: Key): number {
  for (let i = 0; i < Math.min(left.length, right.length); i += 1) {
    const [a, b] = [left[i] as KeyPart, right[i] as KeyPart];
    if (a === b) continue;
    if (typeof a !== typeof b) return typeof a === 'number' ? -1 : 1;
    return a < b ? -1 : 1;
  }
  return 0;
}

async function positions(storage: Storage, index: string): Promise<unknown> {
  return (await scan(storage, 'queue', { index })).map((record) => record['position']);
}

function row(
  area: number,
  kind: string,
  id: KeyPart,
  value: string | null = null,
  tag: string | null = null,
): { table: string; put: StoredRecord } {
  return { table: 'rows', put: { area, kind, id, value, tag } };
}
