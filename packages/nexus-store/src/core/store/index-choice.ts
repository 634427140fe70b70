import type { ScanRange } from '../ports/storage.ts';
import { indexValue, type Condition, type Plan } from './query.ts';

export type IndexRange = Omit<ScanRange, 'limit' | 'prefix' | 'index'>;

/** Ranges of one index that together hold every row that a query can find, apart from its rest. */
export interface IndexUse {
  readonly field: string;
  readonly ranges: readonly IndexRange[];
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
      const ranges = rangesOf(same);
      if (ranges !== null) return { field, ranges };
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
  if (narrow === null) return { field: by.field, ranges: [{}] };
  return narrow.field === by.field && narrow.ranges.length === 1 ? narrow : null;
}

function rangesOf(conditions: readonly Condition[]): readonly IndexRange[] | null {
  const [first] = conditions as [Condition];
  if (first.operator === 'eq') return equalRanges([first.operand]);
  if (first.operator === 'in') return equalRanges(first.operand as readonly unknown[]);
  let range: IndexRange = {};
  for (const { operator, operand } of conditions) {
    const value = indexValue(operand);
    if (value === null) return null;
    // Of several lower bounds one is enough, and an open one may be closed: every row is checked again.
    if (operator === 'gt' || operator === 'gte') range = { ...range, from: [value] };
    else range = { ...range, to: [value] };
  }
  return [range];
}

function equalRanges(operands: readonly unknown[]): readonly IndexRange[] | null {
  const values = new Set<string | number>();
  for (const operand of operands) {
    const value = indexValue(operand);
    if (value === null) return null;
    values.add(value);
  }
  return [...values].map((value) => ({ from: [value], to: [value] }));
}
