import type { KeyPart } from '../ports/storage.ts';
import { readFact } from '../queue/facts.ts';
import { partitionCount } from './partition-count.ts';
import type { RowRecord } from '../queue/records.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import type { Writer } from '../queue/writer.ts';
import type { CollectionRegistry } from './collection-registry.ts';
import { indexName, placeOfValue } from './index-place.ts';
import { fieldOf } from './query.ts';
import { readRow } from './row-source.ts';

/** A record of the table `meta`: which fields of which collection are indexed on disk. */
type Built = Readonly<Record<string, readonly string[]>>;

const NAME = 'field-indexes';
/**
 * The same of earlier versions, in which false and 0 had one place. What it names is built anew: nothing
 * has to go first, since a place that is not where a row belongs is not taken for one.
 */
const FORMER_NAME = 'indexes';
const CHUNK = 200;

/** Where earlier versions kept the rows that had no place in an index. */
function formerRest(field: string): string {
  return `~rest:${field}`;
}

/**
 * The table `fields`: values of declared fields, so that queries read a range instead of a collection.
 * Kept true in every commit, for what is declared now and for what is on disk of earlier declarations;
 * what is declared anew is built from the rows before the first query relies on it.
 */
export class FieldIndexes {
  readonly #registry: CollectionRegistry;
  #built = new Map<string, readonly string[]>();
  #former = new Map<string, readonly string[]>();
  /** What this process brought in order, or is about to. */
  readonly #preparing = new Map<string, Promise<void>>();
  readonly #ready = new Set<string>();

  constructor(registry: CollectionRegistry) {
    this.#registry = registry;
  }

  /** Reads what is on disk, at opening. */
  async load(uow: UnitOfWork): Promise<void> {
    const [built, former] = await Promise.all([readBuilt(uow, NAME), readBuilt(uow, FORMER_NAME)]);
    this.#former = new Map(Object.entries(former));
    // What an earlier version has written to meanwhile is out of step.
    this.#built = new Map(Object.entries(built).filter(([name]) => !this.#former.has(name)));
  }

  isReady(collection: string): boolean {
    return this.#ready.has(collection);
  }

  /** Builds what is declared and not on disk, and takes away what is not declared any more. */
  prepare(writer: Writer, collection: string): Promise<void> {
    let preparing = this.#preparing.get(collection);
    if (preparing === undefined) {
      preparing = this.#prepare(writer, collection).catch((error: unknown) => {
        this.#preparing.delete(collection);
        throw error;
      });
      this.#preparing.set(collection, preparing);
    }
    return preparing;
  }

  async #prepare(writer: Writer, collection: string): Promise<void> {
    const declared = this.#registry.get(collection)?.indexes ?? [];
    const former = this.#former.get(collection);
    const built = this.#built.get(collection) ?? [];
    const added = declared.filter((field) => !built.includes(field));
    const known = new Set([...built, ...(former ?? [])]);
    const dropped = [...known].filter((field) => !declared.includes(field));
    if (added.length > 0) await buildIndexes(writer, collection, added);
    if (added.length > 0 || dropped.length > 0 || former !== undefined) {
      await writer.write((uow) => noteBuilt(uow, collection, declared));
      this.#built.set(collection, declared);
      this.#former.delete(collection);
    }
    const gone = dropped.flatMap((field) => [indexName(field, false), indexName(field, true)]);
    await dropAll(writer, collection, [...gone, ...(former ?? []).map(formerRest)]);
    this.#ready.add(collection);
  }

  /** The fields of a collection whose entries must be kept true. */
  #fieldsOf(collection: string): readonly string[] {
    const declared = this.#registry.get(collection)?.indexes ?? [];
    const built = this.#built.get(collection);
    if (built === undefined || built.length === 0) return declared;
    return declared.length === 0 ? built : [...new Set([...declared, ...built])];
  }

  /** Undefined, without a promise, where nothing is indexed: the common case pays nothing. */
  maintain(uow: UnitOfWork): Promise<void> | undefined {
    const isIndexed =
      this.#registry.all().some(({ indexes }) => indexes.length > 0) ||
      [...this.#built.values()].some((fields) => fields.length > 0);
    if (isIndexed) maintainChanged(uow, (collection) => this.#fieldsOf(collection));
    return undefined;
  }
}

function maintainChanged(
  uow: UnitOfWork,
  fieldsOf: (collection: string) => readonly string[],
): void {
  for (const { before, after } of uow.rowChanges()) {
    const row = after ?? before;
    if (row === undefined || before?.value === after?.value) continue;
    const fields = fieldsOf(row.collection);
    if (fields.length === 0) continue;
    const old = before === undefined ? undefined : readRow(uow, before);
    const now = after === undefined ? undefined : readRow(uow, after);
    for (const field of fields) {
      const oldKey = old === undefined ? null : keyOf(row, field, old.value);
      const nowKey = now === undefined ? null : keyOf(row, field, now.value);
      if (oldKey !== null && nowKey !== null && isSameKey(oldKey, nowKey)) continue;
      if (oldKey !== null) uow.delete('fields', oldKey);
      if (nowKey !== null) putField(uow, nowKey);
    }
  }
}

type FieldKey = readonly [number, string, string, KeyPart, KeyPart];

function keyOf(row: RowRecord, field: string, value: unknown): FieldKey {
  const place = placeOfValue(fieldOf(value, field));
  const { partition, collection, id } = row;
  return [partition, collection, indexName(field, place.isBeside), place.value, id];
}

/** Where earlier versions put it among numbers and texts; null: nowhere. */
function formerKey(row: RowRecord, field: string, seen: unknown): FieldKey | null {
  const value = fieldOf(seen, field);
  const { partition, collection, id } = row;
  if (typeof value === 'boolean') return [partition, collection, field, value ? 1 : 0, id];
  return typeof value === 'string' ? [partition, collection, field, value, id] : null;
}

function isSameKey(a: FieldKey, b: FieldKey): boolean {
  return a[2] === b[2] && a[3] === b[3];
}

function putField(uow: UnitOfWork, key: FieldKey): void {
  const [partition, collection, field, value, id] = key;
  uow.put('fields', key, { partition, collection, field, value, id });
}

/** What cannot be read is built anew: a place that a row has left is not taken for its own. */
async function readBuilt(uow: UnitOfWork, name: string): Promise<Built> {
  return (await readFact<Built>(uow, name, isBuilt)) ?? {};
}

function isBuilt(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((fields) => Array.isArray(fields))
  );
}

async function noteBuilt(
  uow: UnitOfWork,
  collection: string,
  fields: readonly string[],
): Promise<void> {
  const all = await readBuilt(uow, NAME);
  uow.put('meta', [NAME], {
    name: NAME,
    value: JSON.stringify({ ...all, [collection]: fields }),
  });
  const { [collection]: former, ...others } = await readBuilt(uow, FORMER_NAME);
  if (former === undefined) return;
  if (Object.keys(others).length === 0) uow.delete('meta', [FORMER_NAME]);
  else uow.put('meta', [FORMER_NAME], { name: FORMER_NAME, value: JSON.stringify(others) });
}

/** Rows that change meanwhile are kept true by their own commits. */
async function buildIndexes(
  writer: Writer,
  collection: string,
  fields: readonly string[],
): Promise<void> {
  const count = await writer.read(partitionCount);
  for (let partition = 0; partition < count; partition += 1) {
    let after: RowRecord['id'] | undefined;
    do {
      const from = after;
      after = await writer.write((uow) => buildChunk(uow, partition, collection, fields, from), {
        cost: CHUNK,
      });
    } while (after !== undefined);
  }
}

async function buildChunk(
  uow: UnitOfWork,
  partition: number,
  collection: string,
  fields: readonly string[],
  after: RowRecord['id'] | undefined,
): Promise<RowRecord['id'] | undefined> {
  const rows = (await uow.scan('rows', {
    prefix: [partition, collection],
    ...(after === undefined ? {} : { from: [after], fromOpen: true }),
    limit: CHUNK,
  })) as unknown as readonly RowRecord[];
  for (const row of rows) {
    const seen = readRow(uow, row);
    if (seen === undefined) continue;
    for (const field of fields) {
      const key = keyOf(row, field, seen.value);
      const before = formerKey(row, field, seen.value);
      if (before !== null && !isSameKey(before, key)) uow.delete('fields', before);
      putField(uow, key);
    }
  }
  return rows.length < CHUNK ? undefined : rows.at(-1)?.id;
}

async function dropAll(
  writer: Writer,
  collection: string,
  names: readonly string[],
): Promise<void> {
  if (names.length === 0) return;
  const count = await writer.read(partitionCount);
  for (let partition = 0; partition < count; partition += 1) {
    for (const name of names) {
      while (
        await writer.write((uow) => dropChunk(uow, [partition, collection, name]), { cost: CHUNK })
      );
    }
  }
}

/** False once nothing is left. */
async function dropChunk(
  uow: UnitOfWork,
  prefix: readonly [number, string, string],
): Promise<boolean> {
  const records = await uow.scan('fields', { prefix, limit: CHUNK });
  for (const record of records) {
    uow.delete('fields', [...prefix, record['value'] as KeyPart, record['id'] as KeyPart]);
  }
  return records.length === CHUNK;
}
