import type { ScanRange, StoredRecord } from '../../core/ports/storage.ts';
import { resultOf } from './requests.ts';
import type { Table } from './table.ts';

/** The largest count IndexedDB takes; 0 would mean no limit to it. */
const LARGEST_COUNT = 2 ** 32 - 1;

/** Newer browsers read a range backwards in one request. */
interface RecordsReader {
  getAllRecords(options: {
    query?: IDBKeyRange | null;
    count?: number;
    direction?: IDBCursorDirection;
  }): IDBRequest<readonly { readonly value: unknown }[]>;
}

export async function readRange(
  store: IDBObjectStore,
  table: Table,
  range: ScanRange,
): Promise<readonly StoredRecord[]> {
  const span = table.spanOf(range);
  if (span === 'nothing' || range.limit <= 0) return [];
  const source = range.index === undefined ? store : store.index(range.index);
  const count = Math.min(range.limit, LARGEST_COUNT);
  const values =
    range.reverse === true
      ? await readBackwards(source, span, count)
      : await resultOf(source.getAll(span, count));
  return values.map((value) => table.completed(value));
}

async function readBackwards(
  source: IDBObjectStore | IDBIndex,
  span: IDBKeyRange | undefined,
  count: number,
): Promise<readonly unknown[]> {
  if ('getAllRecords' in source) {
    const reader = source as unknown as RecordsReader;
    const request = reader.getAllRecords({ query: span ?? null, count, direction: 'prev' });
    return (await resultOf(request)).map(({ value }) => value);
  }
  const values: unknown[] = [];
  const request = source.openCursor(span, 'prev');
  await new Promise<void>((resolve, reject) => {
    request.onerror = () => reject(request.error ?? new DOMException('', 'UnknownError'));
    request.onsuccess = () => {
      const cursor = request.result;
      if (cursor !== null) values.push(cursor.value);
      if (cursor === null || values.length >= count) resolve();
      else cursor.continue();
    };
  });
  return values;
}
