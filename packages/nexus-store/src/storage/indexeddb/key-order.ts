import type { Key, KeyPart } from '../../core/ports/storage.ts';

/** The order IndexedDB keeps keys in: numbers before texts, texts by UTF-16 units. */
export function compareKeys(left: Key, right: Key): number {
  const length = Math.min(left.length, right.length);
  for (let i = 0; i < length; i += 1) {
    const order = compareParts(left[i] as KeyPart, right[i] as KeyPart);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

function compareParts(left: KeyPart, right: KeyPart): number {
  if (left === right) return 0;
  if (typeof left !== typeof right) return typeof left === 'number' ? -1 : 1;
  return left < right ? -1 : 1;
}
