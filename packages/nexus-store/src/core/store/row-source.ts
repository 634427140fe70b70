import type { EntityId } from '../model/entry.ts';
import { decodeStored } from '../model/stored-text.ts';
import { isNexusError } from '../model/errors.ts';
import type { Key, ScanRange, StoredRecord } from '../ports/storage.ts';
import type { RowRecord } from '../queue/records.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import type { IndexRange, IndexUse } from './index-choice.ts';
import { indexName, placeOfValue } from './index-place.ts';
import { fieldOf } from './query.ts';

/** A row that a query found. */
export interface Found {
  readonly id: EntityId;
  readonly text: string;
  readonly value: unknown;
}

/** A part of an index: of its own places, or of those beside it. */
export interface IndexPart {
  readonly field: string;
  readonly isBeside: boolean;
  readonly range: IndexRange;
}

const CHUNK = 500;

/**
 * The rows of one collection that the app sees, in chunks. A row whose value is damaged is left out: the
 * rest of the collection is no less readable for it.
 */
export class RowSource {
  readonly #uow: UnitOfWork;
  readonly #partition: number;
  readonly #collection: string;

  constructor(uow: UnitOfWork, partition: number, collection: string) {
    this.#uow = uow;
    this.#partition = partition;
    this.#collection = collection;
  }

  /** In the order of ids. */
  async *byId(after: EntityId | null): AsyncGenerator<Found> {
    let from = after === null ? undefined : ([after] as Key);
    for (;;) {
      const rows = (await this.#uow.scan('rows', {
        prefix: [this.#partition, this.#collection],
        ...(from === undefined ? {} : { from, fromOpen: true }),
        limit: CHUNK,
      })) as unknown as readonly RowRecord[];
      for (const row of rows) {
        const found = readRow(this.#uow, row);
        if (found !== undefined) yield found;
      }
      if (rows.length < CHUNK) return;
      from = [(rows.at(-1) as RowRecord).id];
    }
  }

  /** All that an index use names, in no order. */
  async *byField({ field, among, flags, rest }: IndexUse): AsyncGenerator<Found> {
    for (const range of [rest, flags])
      if (range !== null) yield* this.inOrder({ field, isBeside: true, range }, false, CHUNK);
    for (const range of among) yield* this.inOrder({ field, isBeside: false, range }, false, CHUNK);
  }

  /** Those in a part of an index, in its order, ties by id. */
  async *inOrder(
    { field, isBeside, range }: IndexPart,
    isDescending: boolean,
    chunk: number,
  ): AsyncGenerator<Found> {
    const prefix = [this.#partition, this.#collection, indexName(field, isBeside)];
    let next: ScanRange = { ...range, prefix, reverse: isDescending, limit: chunk };
    for (;;) {
      const hits = await this.#uow.scan('fields', next);
      yield* await this.#rows(hits, field, isBeside);
      const last = hits.at(-1);
      if (hits.length < chunk || last === undefined) return;
      const key = [last['value'], last['id']] as Key;
      next = isDescending
        ? { ...next, to: key, toOpen: true }
        : { ...next, from: key, fromOpen: true };
    }
  }

  async #rows(
    hits: readonly StoredRecord[],
    field: string,
    isBeside: boolean,
  ): Promise<readonly Found[]> {
    const keys = hits.map((hit) => ({
      partition: this.#partition,
      collection: this.#collection,
      id: hit['id'] as EntityId,
    }));
    await this.#uow.preloadRows(keys);
    const rows: Found[] = [];
    for (const [index, { id }] of keys.entries()) {
      const row = await this.#uow.row(this.#partition, this.#collection, id);
      const found = row === undefined ? undefined : readRow(this.#uow, row);
      if (found === undefined) continue;
      // A row that was damaged while its value changed may have left its former place behind.
      const place = placeOfValue(fieldOf(found.value, field));
      if (place.isBeside === isBeside && place.value === hits[index]?.['value']) rows.push(found);
    }
    return rows;
  }
}

/** The value that the app sees; undefined if it sees none, or if it cannot be read. */
export function readRow(uow: UnitOfWork, row: RowRecord): Found | undefined {
  const { id, value: text } = row;
  if (text === null) return undefined;
  const key = [row.partition, row.collection, id];
  try {
    return { id, text, value: decodeStored(text, 'rows', key) };
  } catch (error) {
    if (!isNexusError(error, 'storage/corrupt')) throw error;
    uow.noteDamage('rows', key);
    return undefined;
  }
}
