import { afterSurrogates } from './query.ts';

/**
 * Where the value of a field stands in its index: in the table `fields` under the name of the field, or
 * beside it under another name. The order of what stands under the field's name is the order of values,
 * exactly: no two values that differ have one place.
 */
export interface IndexPlace {
  readonly isBeside: boolean;
  readonly value: string | number;
}

/** What stands beside an index, by the number that it stands under. */
export const BESIDE = {
  /** Missing, null, NaN, objects: nothing that a range could begin or end with. */
  nothing: 0,
  /** Numbers that a database rounds or does not store: infinite ones and the largest big integers. */
  odd: 1,
  /** A 0 or 1 of their own, before all numbers. */
  no: 2,
  yes: 3,
} as const;

const NOTHING: IndexPlace = { isBeside: true, value: BESIDE.nothing };
const ODD: IndexPlace = { isBeside: true, value: BESIDE.odd };
const NO: IndexPlace = { isBeside: true, value: BESIDE.no };
const YES: IndexPlace = { isBeside: true, value: BESIDE.yes };

/** The name in the table `fields` under which the places of an index stand. */
export function indexName(field: string, isBeside: boolean): string {
  return isBeside ? `~beside:${field}` : field;
}

export function placeOfValue(value: unknown): IndexPlace {
  switch (typeof value) {
    case 'string':
      return among(textKey(value));
    case 'boolean':
      return value ? YES : NO;
    case 'number':
      if (Number.isNaN(value)) return NOTHING;
      // -0 and 0 are one.
      return Number.isFinite(value) ? among(value || 0) : ODD;
    case 'bigint':
      return isExact(value) ? among(Number(value)) : ODD;
    default:
      return value instanceof Date && !Number.isNaN(value.getTime())
        ? among(value.getTime() || 0)
        : NOTHING;
  }
}

/** The bound of a range that holds everything on its side of a number, also of one beside the index. */
export function numberBound(value: number | bigint | Date): number {
  const number = Number(value);
  return Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, number)) || 0;
}

function among(value: string | number): IndexPlace {
  return { isBeside: false, value };
}

function isExact(value: bigint): boolean {
  const number = Number(value);
  return Number.isFinite(number) && BigInt(number) === value;
}

const ESCAPED = /[\ud7ff-\uffff]/;
const ALL_ESCAPED = /[\ud7ff-\uffff]/g;

/**
 * A text whose order is the same by UTF-16 units, as some databases have it, and by code points: what the
 * two put elsewhere, and halves of characters, which no database stores, are written as two units below.
 */
export function textKey(text: string): string {
  if (!ESCAPED.test(text)) return text;
  return text.replace(
    ALL_ESCAPED,
    (unit) => `\ud7ff${String.fromCharCode(afterSurrogates(unit.charCodeAt(0)) - 0xd7fe)}`,
  );
}
