import { decodeValue } from '../model/value-codec.ts';
import type { RowRecord } from '../queue/records.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import { fieldOf, indexValue } from './query.ts';

interface Indexed {
  readonly indexes: readonly string[];
}

/**
 * Keeps the table `fields` true to the rows of a transaction, for the fields that collections declare.
 * Undefined, without a promise, where nothing is indexed: the common case pays nothing.
 */
export function maintainFieldIndexes(
  uow: UnitOfWork,
  collections: ReadonlyMap<string, Indexed>,
): Promise<void> | undefined {
  for (const [, { indexes }] of collections) {
    if (indexes.length > 0) return maintain(uow, collections);
  }
  return undefined;
}

async function maintain(uow: UnitOfWork, collections: ReadonlyMap<string, Indexed>): Promise<void> {
  for (const { before, after } of uow.rowChanges()) {
    const row = after ?? before;
    const indexes = row === undefined ? [] : (collections.get(row.collection)?.indexes ?? []);
    if (row === undefined || indexes.length === 0 || before?.value === after?.value) continue;
    const [old, now] = [valueOf(before), valueOf(after)];
    for (const field of indexes) {
      const oldValue = indexValue(fieldOf(old, field));
      const nowValue = indexValue(fieldOf(now, field));
      if (oldValue === nowValue) continue;
      const { partition, collection, id } = row;
      if (oldValue !== null) uow.delete('fields', [partition, collection, field, oldValue, id]);
      if (nowValue !== null) {
        uow.put('fields', [partition, collection, field, nowValue, id], {
          partition,
          collection,
          field,
          value: nowValue,
          id,
        });
      }
    }
  }
}

function valueOf(row: RowRecord | undefined): unknown {
  return row === undefined || row.value === null ? undefined : decodeValue(row.value);
}
