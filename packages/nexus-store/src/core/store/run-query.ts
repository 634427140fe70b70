import type { EntityId } from '../model/entry.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import { chooseIndex, chooseOrder, type IndexUse } from './index-choice.ts';
import { BESIDE, placeOfValue } from './index-place.ts';
import { compare, cursorOf, fieldOf, matches, rankOf, type Plan } from './query.ts';
import { RowSource, type Found, type IndexPart } from './row-source.ts';

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
  return pageOf(isSorted ? found : inOrder(found, plan), plan);
}

/** The page that begins a list in order, which holds one item more if there is another page. */
function pageOf(sorted: readonly Found[], plan: Plan): FoundPage {
  const items = sorted.slice(0, plan.limit);
  const last = items.at(-1);
  const hasMore = sorted.length > items.length && last !== undefined;
  return { items, cursor: hasMore ? cursorOf(keyOf(last, plan)) : null };
}

function inOrder(found: readonly Found[], plan: Plan): readonly Found[] {
  return found
    .filter((item) => isAfterCursor(item, plan))
    .sort((a, b) => compareBy(plan, keyOf(a, plan), keyOf(b, plan)));
}

function isAfterCursor(item: Found, plan: Plan): boolean {
  return plan.after === null || compareBy(plan, keyOf(item, plan), plan.after) > 0;
}

function keyOf(item: Found, plan: Plan): readonly unknown[] {
  return [...plan.order.map(({ field }) => fieldOf(item.value, field)), item.id];
}

/** Ties go by id, in the direction of the last field: as an index read backwards has them. */
function compareBy(plan: Plan, a: readonly unknown[], b: readonly unknown[]): number {
  for (const [index, { isDescending }] of plan.order.entries()) {
    const order = compare(a[index], b[index]);
    if (order !== 0) return isDescending ? -order : order;
  }
  const order = compare(a[plan.order.length], b[plan.order.length]);
  return plan.order.at(-1)?.isDescending === true ? -order : order;
}

const REST_CHUNK = 500;

/** Merges the index, read in its order, with the few rows that stand beside it. */
async function takeInOrder(source: RowSource, use: IndexUse, plan: Plan): Promise<Found[]> {
  const isWanted = (item: Found): boolean =>
    matches(item.value, plan.conditions) && isAfterCursor(item, plan);
  const { field, rest: range } = use;
  const rest: Found[] = [];
  const chunk = Math.min(500, Math.max(50, plan.limit + 1));
  if (range !== null) {
    for await (const item of source.inOrder({ field, isBeside: true, range }, false, REST_CHUNK))
      if (isWanted(item)) rest.push(item);
  }
  const waiting = [...inOrder(rest, plan)];
  const taken: Found[] = [];
  const isDescending = plan.order[0]?.isDescending === true;
  for (const part of partsInOrder(use, plan, isDescending)) {
    for await (const item of source.inOrder(part, isDescending, chunk)) {
      if (!isWanted(item)) continue;
      const key = keyOf(item, plan);
      while (waiting[0] !== undefined && compareBy(plan, keyOf(waiting[0], plan), key) < 0)
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
