import { expect, test } from 'vitest';
import { differences } from './equality.ts';

test.each([
  [1, 2],
  [1, '1'],
  [0, -0],
  [null, undefined],
  [{ a: 1 }, { a: 1, b: 2 }],
  [[1, 2], [1]],
  [{ 0: 1 }, [1]],
  [new Date(0), new Date(1)],
  [new Error('a'), new Error('b')],
  [new Map([['a', 1]]), new Map([['a', 2]])],
  [new Set([1]), new Set([1, 2])],
])('%j differs from %j', (left, right) => {
  expect(differences(left, right, 'equal')).toBeDefined();
});

test.each([
  [Number.NaN, Number.NaN],
  [{ a: 1, b: undefined }, { a: 1 }],
  [{ a: [{ b: new Map([[1, new Set([2])]]) }] }, { a: [{ b: new Map([[1, new Set([2])]]) }] }],
])('%j equals %j', (left, right) => {
  expect(differences(left, right, 'equal')).toBeUndefined();
});

test('a match looks at the expected members only', () => {
  expect(differences({ a: 1, b: { c: 2, d: 3 } }, { b: { c: 2 } }, 'match')).toBeUndefined();
  expect(differences({ a: 1, b: { c: 2 } }, { b: { c: 3 } }, 'match')).toBe('the top.b.c');
});
