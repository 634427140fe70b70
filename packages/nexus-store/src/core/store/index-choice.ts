import type { ScanRange } from '../ports/storage.ts';
import { BESIDE, numberBound, placeOfValue, textKey } from './index-place.ts';
import { rankOf, type Condition, type Plan } from './query.ts';

export type IndexRange = Omit<ScanRange, 'limit' | 'prefix' | 'index'>;

/** Parts of one index that together hold every row that a query can find. */
export interface IndexUse {
  readonly field: string;
  /** Of numbers and texts; several do not overlap. */
  readonly among: readonly IndexRange[];
  /** Of booleans, which stand beside, in their order. Null: none of them. */
  readonly flags: IndexRange | null;
  /** What else stands beside, in no order. Null: none of it. */
  readonly rest: IndexRange | null;
}

/** The index that narrows most: an equality, else a list, else a comparison; null if none does. */
export function chooseIndex(plan: Plan, indexes: readonly string[]): IndexUse | null {
  const usable = plan.conditions.filter(
    ({ field, operator }) => operator !== 'ne' && indexes.includes(field),
  );
  for (const operators of [['eq'], ['in'], ['gt', 'gte', 'lt', 'lte']]) {
    for (const { field } of usable.filter(({ operator }) => operators.includes(operator))) {
      const same = usable.filter(
        (other) => other.field === field && operators.includes(other.operator),
      );
      const use = useOf(field, same);
      if (use !== null) return use;
    }
  }
  return null;
}

/**
 * The index to read in the order that the query asks for, so that a page costs a page: where it orders
 * by one indexed field, has a limit, and no equality on another field narrows more.
 */
export function chooseOrder(plan: Plan, indexes: readonly string[]): IndexUse | null {
  const [by] = plan.order;
  if (by === undefined || plan.order.length > 1 || !indexes.includes(by.field)) return null;
  if (plan.limit === Number.MAX_SAFE_INTEGER) return null;
  const narrow = chooseIndex(plan, indexes);
  if (narrow === null) return wholeIndex(by.field);
  return narrow.field === by.field && narrow.among.length <= 1 ? narrow : null;
}

/** True if a query goes by one of these, where they can be relied on. */
export function usesIndex(plan: Plan, indexes: readonly string[]): boolean {
  if (indexes.length === 0) return false;
  return chooseOrder(plan, indexes) !== null || chooseIndex(plan, indexes) !== null;
}

function wholeIndex(field: string): IndexUse {
  return {
    field,
    among: [{}],
    flags: { from: [BESIDE.no], to: [BESIDE.yes] },
    rest: { from: [BESIDE.nothing], to: [BESIDE.odd] },
  };
}

function useOf(field: string, conditions: readonly Condition[]): IndexUse | null {
  const [first] = conditions as [Condition];
  if (first.operator === 'eq') return equalUse(field, [first.operand]);
  if (first.operator === 'in') return equalUse(field, first.operand as readonly unknown[]);
  // Of bounds of two kinds nothing is on both sides: one kind is enough, since every row is checked again.
  const kind = rankOf(first.operand);
  return rangeUse(
    field,
    kind,
    conditions.filter(({ operand }) => rankOf(operand) === kind),
  );
}

const NO_FLAGS = { flags: null };
const NO_REST = { rest: null };

function rangeUse(field: string, kind: number, conditions: readonly Condition[]): IndexUse | null {
  if (kind === 1) {
    return { field, among: [], flags: { from: [BESIDE.no], to: [BESIDE.yes] }, ...NO_REST };
  }
  let range: IndexRange = {};
  for (const { operator, operand } of conditions) {
    const bound = boundOf(operand);
    if (bound === null) return null;
    // Of several lower bounds one is enough, and an open one may be closed.
    if (operator === 'gt' || operator === 'gte') range = { ...range, from: [bound] };
    else range = { ...range, to: [bound] };
  }
  const rest = kind === 2 ? { from: [BESIDE.odd], to: [BESIDE.odd] } : null;
  return { field, among: [range], ...NO_FLAGS, rest };
}

/** Null for what nothing is more or less than. */
function boundOf(operand: unknown): string | number | null {
  if (typeof operand === 'string') return textKey(operand);
  const isNumber =
    typeof operand === 'number' || typeof operand === 'bigint' || operand instanceof Date;
  return isNumber && !Number.isNaN(Number(operand)) ? numberBound(operand) : null;
}

function equalUse(field: string, operands: readonly unknown[]): IndexUse | null {
  const among = new Set<string | number>();
  const beside: number[] = [];
  for (const operand of operands) {
    const place = placeOfValue(operand);
    if (!place.isBeside) among.add(place.value);
    else if (place.value === BESIDE.nothing) return null;
    else beside.push(place.value as number);
  }
  return {
    field,
    among: [...among].map((value) => ({ from: [value], to: [value] })),
    flags: hull(beside.filter((value) => value !== BESIDE.odd)),
    rest: hull(beside.filter((value) => value === BESIDE.odd)),
  };
}

function hull(values: readonly number[]): IndexRange | null {
  if (values.length === 0) return null;
  return { from: [Math.min(...values)], to: [Math.max(...values)] };
}
