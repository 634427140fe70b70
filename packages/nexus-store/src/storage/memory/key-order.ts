import type { Key, KeyPart } from '../../core/ports/storage.ts';

/** Orders two keys by as many leading parts as both have: a short key equals all keys that begin with it. */
export function compareKeys(left: Key, right: Key): number {
  const length = Math.min(left.length, right.length);
  for (let i = 0; i < length; i += 1) {
    const order = compareParts(left[i] as KeyPart, right[i] as KeyPart);
    if (order !== 0) return order;
  }
  return 0;
}

function compareParts(left: KeyPart, right: KeyPart): number {
  if (typeof left === 'number') {
    if (typeof right !== 'number') return -1;
    return left < right ? -1 : left > right ? 1 : 0;
  }
  return typeof right === 'number' ? 1 : compareTexts(left, right);
}

/** The order of the UTF-8 bytes, which is the order of code points, as in SQLite. */
export function compareTexts(left: string, right: string): number {
  if (left === right) return 0;
  const length = Math.min(left.length, right.length);
  for (let i = 0; i < length; i += 1) {
    const a = left.charCodeAt(i);
    const b = right.charCodeAt(i);
    if (a !== b) return codePointRank(a) - codePointRank(b);
  }
  return left.length - right.length;
}

/** Surrogates stand for code points above every other unit, though their units are lower than U+E000. */
function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
