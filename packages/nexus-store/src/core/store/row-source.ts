import type { EntityId } from '../model/entry.ts';
import { decodeStored } from '../model/stored-text.ts';
import { isNexusError } from '../model/errors.ts';
import type { Key, ScanRange, StoredRecord } from '../ports/storage.ts';
import type { RowRecord } from '../queue/records.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import type { IndexRange, IndexUse } from './index-choice.ts';
import { indexName, placeOfValue } from './index-place.ts';
import { compare, fieldOf } from './query.ts';

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

/** The order of ids, as the database has it: numbers before texts. */
export type IdOrder = (a: EntityId, b: EntityId) => number;

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

  /**
   * The order in which the database has these ids, of which all but one stand in a row. Some databases order
   * texts by code points and some by UTF-16 units: pages that were read in its order and pages that were
   * sorted here must go on with each other.
   */
  async orderOfIds(ids: readonly EntityId[]): Promise<IdOrder> {
    const told = ids.filter((id) => typeof id === 'string');
    // Only halves of characters stand elsewhere, and only among what comes after them as a unit.
    if (!told.some((id) => HALVES.test(id)) || !told.some((id) => BEHIND_HALVES.test(id)))
      return compare;
    const byPoints = [...told].sort(compare);
    const byUnits = [...told].sort(compareByUnits);
    const at = byPoints.findIndex((id, index) => id !== byUnits[index]);
    if (at < 0) return compare;
    // One of the two orders has the first of these before the second, the other has it behind.
    const [first, second] = [byPoints[at] as EntityId, byUnits[at] as EntityId];
    const between = await this.#uow.scan('rows', {
      prefix: [this.#partition, this.#collection],
      from: [first],
      to: [second],
      limit: 1,
    });
    return between.length > 0 ? compare : compareByUnits;
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

const HALVES = /[\ud800-\udfff]/;
const BEHIND_HALVES = /[\ue000-\uffff]/;

function compareByUnits(a: EntityId, b: EntityId): number {
  if (typeof a === 'number' || typeof b === 'number') return compare(a, b);
  return a < b ? -1 : a > b ? 1 : 0;
}
