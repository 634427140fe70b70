import 'fake-indexeddb/auto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import type {
  Change,
  Key,
  KeyPart,
  ScanRange,
  Storage,
  StorageSchema,
  StoredRecord,
} from '../core/ports/storage.ts';
import { indexedDbStorage } from './indexeddb/index.ts';
import { memoryStorage } from './memory/index.ts';
import { sqliteStorage } from './sqlite/index.ts';

const SCHEMA = {
  version: 1,
  tables: {
    numbers: {
      columns: { n: 'integer', lane: 'text', due: 'integer' },
      key: ['n'],
      indexes: { lane: ['lane', 'due'], due: ['due'] },
    },
    pairs: {
      columns: { a: 'text', b: 'any', value: 'any' },
      key: ['a', 'b'],
      indexes: { value: ['value', 'b'] },
    },
    links: { columns: { from: 'any', to: 'integer' }, key: ['from', 'to'] },
  },
} as const satisfies StorageSchema;

type Table = keyof typeof SCHEMA.tables;

// Few values, so that they meet: keys are replaced, bounds are hit, neighbours differ by a little.
const integer = fc.integer({ min: -2, max: 5 });
const text = fc.constantFrom('', 'a', 'aa', 'b', '1', '\u{1f600}', '\uffee', 'a\0');
const any = fc.oneof(integer, text, fc.constantFrom(0.5, -1.5));
const orNull = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value);

const record: Readonly<Record<Table, fc.Arbitrary<StoredRecord>>> = {
  numbers: fc.record({ n: integer, lane: orNull(text), due: orNull(integer) }),
  pairs: fc.record({ a: text, b: any, value: orNull(any) }),
  links: fc.record({ from: any, to: integer }),
};

const table = fc.constantFrom<Table>('numbers', 'pairs', 'links');

const change: fc.Arbitrary<Change> = table.chain((name) =>
  record[name].chain((put) =>
    fc.constantFrom<Change>({ table: name, put }, { table: name, delete: keyOf(name, put) }),
  ),
);

type Step =
  | { readonly kind: 'write'; readonly changes: readonly Change[] }
  | { readonly kind: 'get'; readonly table: Table; readonly keys: readonly Key[] }
  | { readonly kind: 'scan'; readonly table: Table; readonly range: ScanRange };

const write: fc.Arbitrary<Step> = fc
  .uniqueArray(change, { selector: recordName, maxLength: 8 })
  .map((changes) => ({ kind: 'write', changes }));

const get: fc.Arbitrary<Step> = table.chain((name) =>
  fc
    .array(
      record[name].map((each) => keyOf(name, each)),
      { maxLength: 12 },
    )
    .map((keys) => ({ kind: 'get', table: name, keys })),
);

const scan: fc.Arbitrary<Step> = table.chain((name) =>
  fc
    .record({
      index: fc.constantFrom(undefined, ...Object.keys(indexesOf(name))),
      low: record[name],
      high: record[name],
      lengths: fc.tuple(fc.nat(2), fc.nat(2), fc.nat(2)),
      fromOpen: fc.boolean(),
      toOpen: fc.boolean(),
      reverse: fc.boolean(),
      limit: fc.integer({ min: 0, max: 9 }),
    })
    .map((draft) => ({ kind: 'scan', table: name, range: rangeOf(name, draft) })),
);

const transaction = fc.record({
  steps: fc.array(fc.oneof({ weight: 2, arbitrary: write }, get, scan), {
    minLength: 1,
    maxLength: 6,
  }),
  fails: fc.boolean(),
});

const folder = mkdtempSync(join(tmpdir(), 'nexus-model-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;

type TextOrder = (left: string, right: string) => number;
const byCodePoints: TextOrder = (left, right) =>
  Buffer.compare(Buffer.from(left), Buffer.from(right));
const byUnits: TextOrder = (left, right) => (left < right ? -1 : 1);

describe.each<[string, () => Storage, number, TextOrder]>([
  ['memory', () => memoryStorage(), 400, byCodePoints],
  [
    'sqlite',
    () => sqliteStorage({ path: join(folder, `${(files += 1)}.db`), durability: 'relaxed' }),
    150,
    byCodePoints,
  ],
  ['IndexedDB', () => indexedDbStorage({ name: `model-${(files += 1)}` }), 200, byUnits],
])('storage in %s', (_, create, numRuns, textOrder) => {
  test('does what a sorted array does, whatever is asked of it', async () => {
    const property = fc.asyncProperty(
      fc.array(transaction, { minLength: 1, maxLength: 12 }),
      async (transactions) => {
        const storage = create();
        await storage.open(SCHEMA);
        let model = new Model(textOrder);
        for (const { steps, fails } of transactions) {
          const next = model.copy();
          const found = await perform(storage, steps, fails);
          expect(found).toEqual(steps.map((step) => next.perform(step)));
          if (!fails) model = next;
        }
        await storage.close();
      },
    );

    await fc.assert(property, { numRuns });
  }, 60_000);
});

/** What the steps of a transaction answer; its changes are kept unless it fails. */
async function perform(
  storage: Storage,
  steps: readonly Step[],
  fails: boolean,
): Promise<readonly unknown[]> {
  const found: unknown[] = [];
  const stop = new Error('stop');
  const performed = storage.transact('write', async (tx) => {
    for (const step of steps) {
      if (step.kind === 'write') found.push(await tx.write(step.changes));
      else if (step.kind === 'get') found.push(await tx.get(step.table, step.keys));
      else found.push(await tx.scan(step.table, step.range));
    }
    if (fails) throw stop;
  });
  await performed.catch((error: unknown) => {
    if (error !== stop) throw error;
  });
  return found;
}

/** The port's meaning, as plainly as it can be said. */
class Model {
  readonly #textOrder: TextOrder;
  readonly #records: Map<string, { table: Table; record: StoredRecord }>;

  constructor(
    textOrder: TextOrder,
    records: Iterable<[string, { table: Table; record: StoredRecord }]> = [],
  ) {
    this.#textOrder = textOrder;
    this.#records = new Map(records);
  }

  copy(): Model {
    return new Model(this.#textOrder, this.#records);
  }

  perform(step: Step): unknown {
    if (step.kind === 'scan') return this.#scan(step.table, step.range);
    if (step.kind === 'get') {
      return step.keys.map((key) => this.#records.get(nameOf(step.table, key))?.record);
    }
    for (const each of step.changes) {
      if ('delete' in each) this.#records.delete(recordName(each));
      else this.#records.set(recordName(each), { table: each.table as Table, record: each.put });
    }
    return undefined;
  }

  #scan(name: Table, range: ScanRange): StoredRecord[] {
    const key = range.index === undefined ? SCHEMA.tables[name].key : indexesOf(name)[range.index];
    const columns: readonly string[] = key ?? [];
    const order = [...columns, ...SCHEMA.tables[name].key];
    const kept = [...this.#records.values()]
      .filter((each) => each.table === name)
      .map((each) => each.record)
      .filter((each) => columns.every((column) => each[column] !== null))
      .filter((each) => isWithin(partsOf(each, columns), range, this.#textOrder))
      .sort((left, right) => compare(partsOf(left, order), partsOf(right, order), this.#textOrder));
    return (range.reverse ? kept.reverse() : kept).slice(0, range.limit);
  }
}

function isWithin(key: Key, range: ScanRange, textOrder: TextOrder): boolean {
  const { prefix = [], from, to, fromOpen, toOpen } = range;
  const rest = key.slice(prefix.length);
  const order = (parts: Key, bound: Key): number =>
    compare(parts.slice(0, bound.length), bound, textOrder);
  if (order(key, prefix) !== 0) return false;
  if (from !== undefined && order(rest, from) < (fromOpen ? 1 : 0)) return false;
  return to === undefined || order(rest, to) <= (toOpen ? -1 : 0);
}

function compare(left: Key, right: Key, textOrder: TextOrder): number {
  for (const [i, a] of left.entries()) {
    const b = right[i] as KeyPart;
    if (a === b) continue;
    if (typeof a === 'number' && typeof b === 'number') return a < b ? -1 : 1;
    if (typeof a === 'string' && typeof b === 'string') return textOrder(a, b);
    return typeof a === 'number' ? -1 : 1;
  }
  return 0;
}

function rangeOf(
  name: Table,
  draft: {
    index: string | undefined;
    low: StoredRecord;
    high: StoredRecord;
    lengths: readonly [number, number, number];
    fromOpen: boolean;
    toOpen: boolean;
    reverse: boolean;
    limit: number;
  },
): ScanRange {
  const { index, low, high, lengths, ...rest } = draft;
  const columns = index === undefined ? SCHEMA.tables[name].key : (indexesOf(name)[index] ?? []);
  const types: Readonly<Record<string, string>> = SCHEMA.tables[name].columns;
  const parts = (each: StoredRecord): Key =>
    columns.map((column) => each[column] ?? (types[column] === 'text' ? 'a' : 1));
  const [prefixLength, fromLength, toLength] = lengths;
  const from = parts(low).slice(prefixLength, prefixLength + fromLength);
  const to = parts(high).slice(prefixLength, prefixLength + toLength);
  return {
    ...rest,
    prefix: parts(low).slice(0, prefixLength),
    ...(index === undefined ? {} : { index }),
    ...(from.length === 0 ? {} : { from }),
    ...(to.length === 0 ? {} : { to }),
  };
}

function indexesOf(name: Table): Readonly<Record<string, readonly string[]>> {
  const schema: StorageSchema['tables'][string] = SCHEMA.tables[name];
  return schema.indexes ?? {};
}

function partsOf(each: StoredRecord, columns: readonly string[]): Key {
  return columns.map((column) => each[column] as KeyPart);
}

function keyOf(name: Table, each: StoredRecord): Key {
  return partsOf(each, SCHEMA.tables[name].key);
}

function recordName(each: Change): string {
  return nameOf(each.table, 'put' in each ? keyOf(each.table as Table, each.put) : each.delete);
}

function nameOf(name: string, key: Key): string {
  return JSON.stringify([name, ...key]);
}
