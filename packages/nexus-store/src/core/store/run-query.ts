import type { EntityId } from '../model/entry.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import { chooseIndex, chooseOrder, type IndexUse } from './index-choice.ts';
import { BESIDE, placeOfValue } from './index-place.ts';
import { compare, cursorOf, fieldOf, matches, rankOf, type Plan } from './query.ts';
import { RowSource, type Found, type IdOrder, type IndexPart } from './row-source.ts';

export interface FoundPage {
  readonly items: readonly Found[];
  readonly cursor: string | null;
}

/**
 * Runs a query over the rows of a collection. Reads a declared index in the order asked for, or a range
 * of one, where that fits, the collection otherwise; stops as soon as the limit is reached if the order
 * of reading allows.
 */
export async function runQuery(
  uow: UnitOfWork,
  partition: number,
  collection: string,
  indexes: readonly string[],
  plan: Plan,
): Promise<FoundPage> {
  const source = new RowSource(uow, partition, collection);
  const order = chooseOrder(plan, indexes);
  if (order !== null) return pageOf(await takeInOrder(source, order, plan), plan);
  const use = chooseIndex(plan, indexes);
  const isSorted = plan.order.length === 0 && use === null;
  const after = isSorted && plan.after !== null ? (plan.after.at(-1) as EntityId) : null;
  const rows = use === null ? source.byId(after) : source.byField(use);
  const found: Found[] = [];
  for await (const item of rows) {
    if (matches(item.value, plan.conditions)) found.push(item);
    if (isSorted && found.length > plan.limit) break;
  }
  return pageOf(isSorted ? found : await inOrder(source, found, plan), plan);
}

/** The page that begins a list in order, which holds one item more if there is another page. */
function pageOf(sorted: readonly Found[], plan: Plan): FoundPage {
  const items = sorted.slice(0, plan.limit);
  const last = items.at(-1);
  const hasMore = sorted.length > items.length && last !== undefined;
  return { items, cursor: hasMore ? cursorOf(plan.order, keyOf(last, plan)) : null };
}

/** Those behind the cursor, in order. */
async function inOrder(
  source: RowSource,
  found: readonly Found[],
  plan: Plan,
): Promise<readonly Found[]> {
  const { after } = plan;
  const ids = found.map(({ id }) => id);
  const order = await source.orderOfIds(after === null ? ids : [...ids, after.at(-1) as EntityId]);
  const compareKeys = (a: readonly unknown[], b: readonly unknown[]): number =>
    compareFields(plan, a, b) || compareIds(plan, order, a, b);
  return found
    .map((item) => ({ item, key: keyOf(item, plan) }))
    .filter(({ key }) => after === null || compareKeys(key, after) > 0)
    .sort((a, b) => compareKeys(a.key, b.key))
    .map(({ item }) => item);
}

function keyOf(item: Found, plan: Plan): readonly unknown[] {
  return [...plan.order.map(({ field }) => fieldOf(item.value, field)), item.id];
}

function compareFields(plan: Plan, a: readonly unknown[], b: readonly unknown[]): number {
  for (const [index, { isDescending }] of plan.order.entries()) {
    const order = compare(a[index], b[index]);
    if (order !== 0) return isDescending ? -order : order;
  }
  return 0;
}

/** Ties go by id, in the direction of the last field: as an index read backwards has them. */
function compareIds(
  plan: Plan,
  orderOfIds: IdOrder,
  a: readonly unknown[],
  b: readonly unknown[],
): number {
  const order = orderOfIds(a[plan.order.length] as EntityId, b[plan.order.length] as EntityId);
  return plan.order.at(-1)?.isDescending === true ? -order : order;
}

const REST_CHUNK = 500;

/** Merges the index, read in its order, with the few rows that stand beside it. */
async function takeInOrder(source: RowSource, use: IndexUse, plan: Plan): Promise<Found[]> {
  const { after, conditions } = plan;
  const { field, rest: range } = use;
  const rest: Found[] = [];
  const chunk = Math.min(500, Math.max(50, plan.limit + 1));
  if (range !== null) {
    for await (const item of source.inOrder({ field, isBeside: true, range }, false, REST_CHUNK))
      if (matches(item.value, conditions)) rest.push(item);
  }
  const waiting = [...(await inOrder(source, rest, plan))];
  const taken: Found[] = [];
  const isDescending = plan.order[0]?.isDescending === true;
  for (const part of partsInOrder(use, plan, isDescending)) {
    for await (const item of source.inOrder(part, isDescending, chunk)) {
      const key = keyOf(item, plan);
      // Of those that equal the cursor's item the range has left out what is not behind it, by ids as the
      // database orders them.
      const isBehind = after === null || compareFields(plan, key, after) >= 0;
      if (!isBehind || !matches(item.value, conditions)) continue;
      // No value has a place both in the index and beside it: nothing ties.
      while (waiting[0] !== undefined && compareFields(plan, keyOf(waiting[0], plan), key) < 0)
        taken.push(waiting.shift() as Found);
      taken.push(item);
      if (taken.length > plan.limit) return taken;
    }
  }
  return [...taken, ...waiting];
}

/** Kinds of values by their `rankOf`: booleans, then numbers and texts. */
const FLAG_RANK = 1;
const AMONG_RANKS = [2, 3] as const;

/** The parts of an index in the order asked for, as far as they are behind the cursor. */
function partsInOrder(use: IndexUse, plan: Plan, isDescending: boolean): readonly IndexPart[] {
  const { field, flags } = use;
  const among = use.among.map((range) => ({ field, isBeside: false, range, ranks: AMONG_RANKS }));
  const beside =
    flags === null
      ? []
      : [{ field, isBeside: true, range: flags, ranks: [FLAG_RANK, FLAG_RANK] as const }];
  const parts = isDescending ? [...among, ...beside] : [...beside, ...among];
  if (plan.after === null) return parts;
  const [value, id] = plan.after;
  const rank = rankOf(value);
  const place = placeOfValue(value);
  const isPlaced = !place.isBeside || (place.value as number) >= BESIDE.no;
  return parts
    .filter(({ ranks: [first, last] }) => (isDescending ? first <= rank : last >= rank))
    .map((part) => {
      if (!isPlaced || part.isBeside !== place.isBeside) return part;
      const key = [place.value, id as EntityId];
      const range = isDescending
        ? { ...part.range, to: key, toOpen: true }
        : { ...part.range, from: key, fromOpen: true };
      return { ...part, range };
    });
}
