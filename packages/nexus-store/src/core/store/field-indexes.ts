import type { KeyPart } from '../ports/storage.ts';
import { decodeValue } from '../model/value-codec.ts';
import { partitionCount } from './partition-count.ts';
import type { RowRecord } from '../queue/records.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import type { Writer } from '../queue/writer.ts';
import type { CollectionRegistry } from './collection-registry.ts';
import { fieldOf, indexValue } from './query.ts';

/** The record `indexes` of the table `meta`: which fields of which collection are indexed on disk. */
type Built = Readonly<Record<string, readonly string[]>>;

const NAME = 'indexes';
const CHUNK = 200;

/**
 * Rows whose field cannot be in its index (it is missing, null, an object) stand under this name, so
 * that a query in the order of the field finds them without reading the collection.
 */
export function restField(field: string): string {
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
  /** What this process brought in order, or is about to. */
  readonly #preparing = new Map<string, Promise<void>>();
  readonly #ready = new Set<string>();

  constructor(registry: CollectionRegistry) {
    this.#registry = registry;
  }

  /** Reads what is on disk, at opening. */
  async load(uow: UnitOfWork): Promise<void> {
    this.#built = new Map(Object.entries(await readBuilt(uow)));
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
    const built = this.#built.get(collection) ?? [];
    const added = declared.filter((field) => !built.includes(field));
    const dropped = built.filter((field) => !declared.includes(field));
    if (added.length > 0) await buildIndexes(writer, collection, added);
    if (added.length > 0 || dropped.length > 0) {
      await writer.write(async (uow) => {
        const all = await readBuilt(uow);
        uow.put('meta', [NAME], {
          name: NAME,
          value: JSON.stringify({ ...all, [collection]: declared }),
        });
      });
      this.#built.set(collection, declared);
    }
    for (const field of dropped) await dropIndex(writer, collection, field);
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
    const [old, now] = [valueOf(before), valueOf(after)];
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
  const indexed = indexValue(fieldOf(value, field));
  const { partition, collection, id } = row;
  if (indexed === null) return [partition, collection, restField(field), 0, id];
  return [partition, collection, field, indexed, id];
}

function isSameKey(a: FieldKey, b: FieldKey): boolean {
  return a[2] === b[2] && a[3] === b[3];
}

function putField(uow: UnitOfWork, key: FieldKey): void {
  const [partition, collection, field, value, id] = key;
  uow.put('fields', key, { partition, collection, field, value, id });
}

/** The value that the app sees; undefined if it sees none. */
function valueOf(row: RowRecord | undefined): { readonly value: unknown } | undefined {
  return row === undefined || row.value === null ? undefined : { value: decodeValue(row.value) };
}

async function readBuilt(uow: UnitOfWork): Promise<Built> {
  const record = await uow.get('meta', [NAME]);
  return record === undefined ? {} : (JSON.parse(record['value'] as string) as Built);
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
    const seen = valueOf(row);
    if (seen === undefined) continue;
    for (const field of fields) putField(uow, keyOf(row, field, seen.value));
  }
  return rows.length < CHUNK ? undefined : rows.at(-1)?.id;
}

async function dropIndex(writer: Writer, collection: string, field: string): Promise<void> {
  const count = await writer.read(partitionCount);
  for (let partition = 0; partition < count; partition += 1) {
    for (const name of [field, restField(field)]) {
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
