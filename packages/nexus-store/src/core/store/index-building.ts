import type { KeyPart } from '../ports/storage.ts';
import type { RowRecord } from '../queue/records.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import type { Writer } from '../queue/writer.ts';
import { readLists } from './index-lists.ts';
import { indexName, placeOfValue } from './index-place.ts';
import { partitionCount } from './partition-count.ts';
import { fieldOf } from './query.ts';
import { readRow } from './row-source.ts';

const CHUNK = 200;

/** Keeps the places of all rows true that this transaction changes. */
export function maintainPlaces(
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

/** Rows that change meanwhile are kept true by their own commits. */
export async function buildIndexes(
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

/** Takes away what stands of a field, unless another context has begun to keep it again. */
export async function dropIndex(writer: Writer, collection: string, field: string): Promise<void> {
  const count = await writer.read(partitionCount);
  const names = [indexName(field, false), indexName(field, true), formerRest(field)];
  for (let partition = 0; partition < count; partition += 1) {
    for (const name of names) {
      const drop = async (uow: UnitOfWork): Promise<boolean> => {
        const { kept } = await readLists(uow);
        const isKept = kept.get(collection)?.includes(field) === true && name !== formerRest(field);
        return !isKept && (await dropChunk(uow, [partition, collection, name]));
      };
      while (await writer.write(drop, { cost: CHUNK }));
    }
  }
}

/** Where earlier versions kept the rows that had no place in an index. */
function formerRest(field: string): string {
  return `~rest:${field}`;
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
