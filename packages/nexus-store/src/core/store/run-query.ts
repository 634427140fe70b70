import type { EntityId } from '../model/entry.ts';
import { decodeValue } from '../model/value-codec.ts';
import type { Key, ScanRange } from '../ports/storage.ts';
import type { RowRecord } from '../queue/records.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import { compare, fieldOf, indexValue, matches, type Condition, type Plan } from './query.ts';

/** A row that a query found. */
export interface Found {
  readonly id: EntityId;
  readonly text: string;
  readonly value: unknown;
}

export interface FoundPage {
  readonly items: readonly Found[];
  readonly cursor: string | null;
}

const CHUNK = 500;

/**
 * Runs a query over the rows of a collection. Reads a range of a declared index where one fits, the
 * collection otherwise; stops as soon as the limit is reached if the order allows.
 */
export async function runQuery(
  uow: UnitOfWork,
  partition: number,
  collection: string,
  indexes: readonly string[],
  plan: Plan,
): Promise<FoundPage> {
  const source = new RowSource(uow, partition, collection);
  const by = chooseIndex(plan, indexes);
  const needsSort = plan.order.length > 0;
  const wanted = plan.limit === Number.MAX_SAFE_INTEGER ? plan.limit : plan.limit + 1;
  const found: Found[] = [];
  const rows = by === null ? source.byId(needsSort ? null : plan.after) : source.byField(by);
  for await (const row of rows) {
    const item = { id: row.id, text: row.value as string, value: decodeValue(row.value as string) };
    if (matches(item.value, plan.conditions)) found.push(item);
    if (!needsSort && by === null && found.length >= wanted) break;
  }
  const sorted = needsSort || by !== null ? inOrder(found, plan) : found;
  const items = sorted.slice(0, plan.limit);
  const last = items.at(-1);
  const hasMore = sorted.length > items.length && last !== undefined;
  return { items, cursor: hasMore ? cursorOf(last, plan) : null };
}

function inOrder(found: readonly Found[], plan: Plan): readonly Found[] {
  const sorted = found.toSorted((a, b) => compareBy(plan, keyOf(a, plan), keyOf(b, plan)));
  const { after } = plan;
  return after === null
    ? sorted
    : sorted.filter((item) => compareBy(plan, keyOf(item, plan), after) > 0);
}

function keyOf(item: Found, plan: Plan): readonly unknown[] {
  return [...plan.order.map(({ field }) => fieldOf(item.value, field)), item.id];
}

function cursorOf(item: Found, plan: Plan): string {
  const parts = keyOf(item, plan).map((part) =>
    part instanceof Date ? part.getTime() : (part ?? null),
  );
  return JSON.stringify(parts);
}

function compareBy(plan: Plan, a: readonly unknown[], b: readonly unknown[]): number {
  for (const [index, { isDescending }] of plan.order.entries()) {
    const order = compare(a[index], b[index]);
    if (order !== 0) return isDescending ? -order : order;
  }
  return compare(a[plan.order.length], b[plan.order.length]);
}

interface IndexRange {
  readonly field: string;
  readonly ranges: readonly Omit<ScanRange, 'limit'>[];
}

/** The index that narrows most: an equality, else a list, else a comparison. */
function chooseIndex(plan: Plan, indexes: readonly string[]): IndexRange | null {
  const usable = plan.conditions.filter(
    ({ field, operator }) => operator !== 'ne' && indexes.includes(field),
  );
  for (const operators of [['eq'], ['in'], ['gt', 'gte', 'lt', 'lte']]) {
    const first = usable.find(({ operator }) => operators.includes(operator));
    if (first === undefined) continue;
    const same = usable.filter(
      ({ field, operator }) => field === first.field && operators.includes(operator),
    );
    const ranges = rangesOf(same);
    if (ranges !== null) return { field: first.field, ranges };
  }
  return null;
}

function rangesOf(conditions: readonly Condition[]): readonly Omit<ScanRange, 'limit'>[] | null {
  const [first] = conditions as [Condition];
  if (first.operator === 'eq') return equalRanges([first.operand]);
  if (first.operator === 'in') return equalRanges(first.operand as readonly unknown[]);
  let range: Omit<ScanRange, 'limit'> = {};
  for (const { operator, operand } of conditions) {
    const value = indexValue(operand);
    if (value === null) return null;
    // Of several lower bounds one is enough: every row is checked again.
    if (operator === 'gt' || operator === 'gte')
      range = { ...range, from: [value], fromOpen: operator === 'gt' };
    else range = { ...range, to: [value], toOpen: operator === 'lt' };
  }
  return [range];
}

function equalRanges(operands: readonly unknown[]): readonly Omit<ScanRange, 'limit'>[] | null {
  const values = new Set<string | number>();
  for (const operand of operands) {
    const value = indexValue(operand);
    if (value === null) return null;
    values.add(value);
  }
  return [...values].map((value) => ({ from: [value], to: [value] }));
}

/** Rows that the app sees, in chunks. */
class RowSource {
  readonly #uow: UnitOfWork;
  readonly #partition: number;
  readonly #collection: string;

  constructor(uow: UnitOfWork, partition: number, collection: string) {
    this.#uow = uow;
    this.#partition = partition;
    this.#collection = collection;
  }

  async *byId(after: readonly unknown[] | null): AsyncGenerator<RowRecord> {
    let from = after === null ? undefined : ([after.at(-1)] as Key);
    for (;;) {
      const rows = (await this.#uow.scan('rows', {
        prefix: [this.#partition, this.#collection],
        ...(from === undefined ? {} : { from, fromOpen: true }),
        limit: CHUNK,
      })) as unknown as readonly RowRecord[];
      for (const row of rows) if (row.value !== null) yield row;
      if (rows.length < CHUNK) return;
      from = [(rows.at(-1) as RowRecord).id];
    }
  }

  async *byField({ field, ranges }: IndexRange): AsyncGenerator<RowRecord> {
    for (const range of ranges) {
      let next = range;
      for (;;) {
        const prefix = [this.#partition, this.#collection, field];
        const hits = await this.#uow.scan('fields', { ...next, prefix, limit: CHUNK });
        yield* await this.#rows(hits.map((hit) => hit['id'] as EntityId));
        if (hits.length < CHUNK) break;
        const last = hits.at(-1);
        next = { ...range, from: [last?.['value'], last?.['id']] as Key, fromOpen: true };
      }
    }
  }

  async #rows(ids: readonly EntityId[]): Promise<RowRecord[]> {
    const keys = ids.map((id) => ({
      partition: this.#partition,
      collection: this.#collection,
      id,
    }));
    await this.#uow.preloadRows(keys);
    const rows: RowRecord[] = [];
    for (const { id } of keys) {
      const row = await this.#uow.row(this.#partition, this.#collection, id);
      if (row !== undefined && row.value !== null) rows.push(row);
    }
    return rows;
  }
}
