import type { EntityId } from '../model/entry.ts';
import { decodeValue } from '../model/value-codec.ts';
import type { Key, ScanRange } from '../ports/storage.ts';
import type { RowRecord } from '../queue/records.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import { restField } from './field-indexes.ts';
import type { IndexRange } from './index-choice.ts';

/** A row that a query found. */
export interface Found {
  readonly id: EntityId;
  readonly text: string;
  readonly value: unknown;
}

const CHUNK = 500;

/** The rows of one collection that the app sees, in chunks. */
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
      for (const row of rows) if (row.value !== null) yield found(row);
      if (rows.length < CHUNK) return;
      from = [(rows.at(-1) as RowRecord).id];
    }
  }

  /** Those in the ranges of an index. */
  async *byField(field: string, ranges: readonly IndexRange[]): AsyncGenerator<Found> {
    for (const range of ranges) yield* this.inOrder(field, range, false, CHUNK);
  }

  /** Those that stand beside the index: their field has no value that could be in it. */
  rest(field: string): AsyncGenerator<Found> {
    return this.inOrder(restField(field), {}, false, CHUNK);
  }

  /** Those in a range of an index, in its order, ties by id. */
  async *inOrder(
    field: string,
    range: IndexRange,
    isDescending: boolean,
    chunk: number,
  ): AsyncGenerator<Found> {
    const prefix = [this.#partition, this.#collection, field];
    let next: ScanRange = { ...range, prefix, reverse: isDescending, limit: chunk };
    for (;;) {
      const hits = await this.#uow.scan('fields', next);
      yield* await this.#rows(hits.map((hit) => hit['id'] as EntityId));
      const last = hits.at(-1);
      if (hits.length < chunk || last === undefined) return;
      const key = [last['value'], last['id']] as Key;
      next = isDescending
        ? { ...next, to: key, toOpen: true }
        : { ...next, from: key, fromOpen: true };
    }
  }

  async #rows(ids: readonly EntityId[]): Promise<Found[]> {
    const keys = ids.map((id) => ({
      partition: this.#partition,
      collection: this.#collection,
      id,
    }));
    await this.#uow.preloadRows(keys);
    const rows: Found[] = [];
    for (const { id } of keys) {
      const row = await this.#uow.row(this.#partition, this.#collection, id);
      if (row !== undefined && row.value !== null) rows.push(found(row));
    }
    return rows;
  }
}

function found(row: RowRecord): Found {
  const text = row.value as string;
  return { id: row.id, text, value: decodeValue(text) };
}
