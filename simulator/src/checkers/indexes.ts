import type { Commit } from '../world/disk.ts';
import { decode, type RowOnDisk } from '../world/records.ts';
import type { Scene } from './scene.ts';

/**
 * An index that is said to be whole has every row in its place and in no other, whatever version of the app
 * wrote the row. Looked at for the rows of each commit, and for all once an index is said to be whole.
 */
export function checkIndexes({ disk, fail }: Scene, commit: Commit): void {
  if (disk.places.size === 0 && Object.keys(disk.wholeIndexes).length === 0) return;
  const requireAt = (row: RowOnDisk, field: string): void => {
    const place = placeIn(row, field);
    if (place === undefined || disk.places.has(place)) return;
    fail('index', `${row.collection} ${row.id} is missing in the index of ${field}`);
  };
  for (const { before, after } of commit.rows) {
    const row = after ?? before;
    for (const field of disk.wholeIndexes[row?.collection ?? ''] ?? []) {
      if (after !== undefined) requireAt(after, field);
      const left = before === undefined ? undefined : placeIn(before, field);
      const isLeft = left !== undefined && (after === undefined || placeIn(after, field) !== left);
      if (isLeft && disk.places.has(left))
        fail(
          'index',
          `${row?.collection} ${row?.id} is still where it was in the index of ${field}`,
        );
    }
  }
  if (!commit.meta.some(({ after }) => after?.name === 'field-indexes')) return;
  for (const row of disk.rows.values())
    for (const field of disk.wholeIndexes[row.collection] ?? []) requireAt(row, field);
}

/** The key of a row's place; undefined for a row that the app does not see. */
function placeIn(row: RowOnDisk, field: string): string | undefined {
  if (row.value === null) return undefined;
  const value = (decode(row.value) as Readonly<Record<string, unknown>>)[field];
  const place = typeof value === 'number' ? [field, value] : [`~beside:${field}`, 0];
  return [row.partition, row.collection, ...place, row.id].join('|');
}
