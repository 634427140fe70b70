import { OBJECT, oneOf, requireOptions, shown, TEXT, type Kinds } from '../model/arguments.ts';
import { UsageError } from '../model/errors.ts';
import { decodeValue, encodeValue } from '../model/value-codec.ts';

/** A comparison on one field. All that are given must hold. */
export interface Comparison<V> {
  readonly eq?: V;
  readonly ne?: V;
  readonly gt?: V;
  readonly gte?: V;
  readonly lt?: V;
  readonly lte?: V;
  readonly in?: readonly V[];
}

/**
 * Fields and what they must be: a value, or a comparison. A plain object is always a comparison; a field
 * that holds objects is compared by `{ eq: { ... } }`.
 */
export type Where<T> = { readonly [K in keyof T]?: T[K] | Comparison<T[K]> };

export interface Query<T> {
  readonly where?: Where<T>;
  /** One field, or several; `{ field, direction }` for another direction than ascending. */
  readonly orderBy?: OrderBy<T> | readonly OrderBy<T>[];
  readonly limit?: number;
  /** The cursor of the page before, from `getPage`. */
  readonly after?: string;
}

export type OrderBy<T> =
  | (keyof T & string)
  | { readonly field: keyof T & string; readonly direction?: 'ascending' | 'descending' };

export interface Page<T> {
  readonly items: readonly T[];
  /** For `after`; null on the last page. */
  readonly cursor: string | null;
}

/** A query in its plain form. */
export interface Plan {
  readonly conditions: readonly Condition[];
  readonly order: readonly { readonly field: string; readonly isDescending: boolean }[];
  readonly limit: number;
  readonly after: readonly unknown[] | null;
}

export interface Condition {
  readonly field: string;
  readonly operator: keyof Comparison<unknown>;
  readonly operand: unknown;
}

const QUERY_KEYS: ReadonlySet<string> = new Set(['where', 'orderBy', 'limit', 'after']);

const OPERATORS: ReadonlySet<string> = new Set(['eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in']);
const ORDER: Kinds<Exclude<OrderBy<object>, string>> = {
  field: TEXT,
  direction: oneOf('ascending', 'descending'),
};

/** @throws UsageError `usage/invalid-argument` */
export function planOf<T>(query: Query<T>): Plan {
  if (!OBJECT.fits(query)) throw invalid(`a query is an object, not ${shown(query)}`);
  const unknown = Object.keys(query).find((key) => !QUERY_KEYS.has(key));
  if (unknown !== undefined)
    throw invalid(`a query has where, orderBy, limit and after, not ${unknown}`);
  const { limit = Number.MAX_SAFE_INTEGER, where } = query;
  if (!Number.isInteger(limit) || limit < 0) {
    throw invalid(`limit must be a whole number, not ${shown(limit)}`);
  }
  if (where !== undefined && !OBJECT.fits(where))
    throw invalid(`where must be an object with fields, not ${shown(where)}`);
  const orders = query.orderBy === undefined ? [] : [query.orderBy].flat();
  const order = orders.map(orderOf);
  return {
    conditions: Object.entries(where ?? {}).flatMap(([field, wanted]) =>
      conditionsOf(field, wanted),
    ),
    order,
    limit,
    after: query.after === undefined ? null : parseCursor(query.after, order),
  };
}

function orderOf(by: unknown): Plan['order'][number] {
  if (typeof by === 'string') return { field: by, isDescending: false };
  requireOptions('orderBy', by, ORDER);
  const { field, direction = 'ascending' } = (by ?? {}) as Record<string, unknown>;
  const isDescending = direction === 'descending';
  if (typeof field === 'string' && (isDescending || direction === 'ascending'))
    return { field, isDescending };
  throw invalid(
    `orderBy takes fields, or { field, direction: 'ascending' or 'descending' }, not ${shown(by)}`,
  );
}

function invalid(message: string): UsageError {
  return new UsageError('usage/invalid-argument', message);
}

const HOW_TO_COMPARE = `a comparison has ${[...OPERATORS].join(', ')}, and an object is compared by { eq: ... }`;

function conditionsOf(field: string, wanted: unknown): Condition[] {
  if (!isComparison(wanted)) return [{ field, operator: 'eq', operand: wanted }];
  const comparisons = Object.entries(wanted);
  if (comparisons.length === 0) throw invalid(`where.${field} has no operator; ${HOW_TO_COMPARE}`);
  return comparisons.map(([operator, operand]) => {
    if (!OPERATORS.has(operator))
      throw invalid(`where.${field}.${operator} is no operator; ${HOW_TO_COMPARE}`);
    if (operator === 'in' && !Array.isArray(operand)) {
      throw invalid(`where.${field}.in must be a list, not ${shown(operand)}`);
    }
    return { field, operator: operator as Condition['operator'], operand };
  });
}

/** A plain object. Taken for a value, a slip of the pen in an operator would find nothing, silently. */
function isComparison(wanted: unknown): wanted is Comparison<unknown> {
  if (typeof wanted !== 'object' || wanted === null) return false;
  const prototype: unknown = Object.getPrototypeOf(wanted);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** A cursor: the order asked for, the values of its fields in the last item, and that item's id. */
export function cursorOf(order: Plan['order'], key: readonly unknown[]): string {
  return encodeValue([namesOf(order), ...key.map((part) => part ?? null)]);
}

function parseCursor(cursor: string, order: Plan['order']): readonly unknown[] {
  let names: unknown;
  let key: readonly unknown[] = [];
  try {
    const parsed: unknown = decodeValue(cursor);
    if (Array.isArray(parsed)) [names, ...key] = parsed;
  } catch {
    // Falls through to the one error for everything that is not a cursor.
  }
  const isId = ['string', 'number'].includes(typeof key.at(-1));
  if (!Array.isArray(names) || key.length !== names.length + 1 || !isId)
    throw invalid('after is not a cursor of an earlier page');
  if (encodeValue(names) !== encodeValue(namesOf(order)))
    throw invalid('after is a cursor of a page in another order: orderBy must be the same');
  return key;
}

function namesOf(order: Plan['order']): readonly string[] {
  return order.map(({ field, isDescending }) => `${isDescending ? '-' : '+'}${field}`);
}

/** True if the value satisfies all conditions. */
export function matches(value: unknown, conditions: readonly Condition[]): boolean {
  return conditions.every(({ field, operator, operand }) => {
    const actual = fieldOf(value, field);
    if (operator === 'in')
      return (operand as readonly unknown[]).some((item) => compare(actual, item) === 0);
    if (operator === 'eq' || operator === 'ne')
      return (compare(actual, operand) === 0) === (operator === 'eq');
    // What is missing, or of another kind, is neither more nor less than anything; nor is NaN.
    if (rankOf(actual) === 0 || rankOf(actual) !== rankOf(operand)) return false;
    if (Number.isNaN(comparable(actual)) || Number.isNaN(comparable(operand))) return false;
    const order = compare(actual, operand);
    if (operator === 'gt') return order > 0;
    if (operator === 'gte') return order >= 0;
    return operator === 'lt' ? order < 0 : order <= 0;
  });
}

export function fieldOf(value: unknown, field: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, field)
    ? (value as Record<string, unknown>)[field]
    : undefined;
}

/** A total order of values: nothing, then booleans, numbers and dates, texts, everything else. */
export function compare(a: unknown, b: unknown): number {
  const [x, y] = [comparable(a), comparable(b)];
  const [rankX, rankY] = [rankOf(a), rankOf(b)];
  if (rankX !== rankY) return rankX - rankY;
  if (rankX === 0) return 0;
  if (typeof x === 'string') return compareTexts(x, y as string);
  // NaN comes before all numbers, or sorting would know no order.
  if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(y)) - Number(Number.isNaN(x));
  return (x as number) < (y as number) ? -1 : (x as number) > (y as number) ? 1 : 0;
}

/** By code points, as databases that store UTF-8 compare; UTF-16 puts some of them elsewhere. */
function compareTexts(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x !== y) return afterSurrogates(x) - afterSurrogates(y);
  }
  return a.length - b.length;
}

/** Halves of characters beyond 16 bits come after all others. */
export function afterSurrogates(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}

function comparable(value: unknown): unknown {
  if (value instanceof Date) return value.getTime();
  return typeof value === 'object' && value !== null ? encodeValue(value) : value;
}

/** The kind of a value: kinds come one after another, and only values of one kind are compared. */
export function rankOf(value: unknown): number {
  if (value === undefined || value === null) return 0;
  if (typeof value === 'boolean') return 1;
  if (typeof value === 'number' || typeof value === 'bigint' || value instanceof Date) return 2;
  return typeof value === 'string' ? 3 : 4;
}
