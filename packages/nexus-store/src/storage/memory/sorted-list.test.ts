import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SortedList } from './sorted-list.ts';

const newList = (): SortedList<number> => new SortedList<number>((left, right) => left - right);

describe('a sorted list', () => {
  test('keeps thousands of items in order, however they come and go', () => {
    const count = fc.integer({ min: 1, max: 1_500 });
    const batch = fc.record({
      deletes: fc.boolean(),
      start: fc.nat(3_000),
      count,
      stride: fc.constantFrom(1, -1, 7, 1_009),
    });

    fc.assert(
      fc.property(fc.array(batch, { maxLength: 8 }), fc.nat(3_000), fc.nat(3_000), (all, a, b) => {
        const list = newList();
        const model = new Set<number>();
        for (const { deletes, start, count: length, stride } of all) {
          for (let i = 0; i < length; i += 1) {
            const item = (((start + i * stride) % 3_001) + 3_001) % 3_001;
            const isThere = deletes ? model.delete(item) : model.has(item);
            if (!deletes) model.add(item);
            expect(deletes ? list.delete(item) : list.set(item)).toBe(isThere ? item : undefined);
          }
        }

        const sorted = [...model].sort((left, right) => left - right);
        expect([...list]).toEqual(sorted);
        expect(list.size).toBe(sorted.length);
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        const within = sorted.filter((item) => item >= low && item <= high);
        const slice = (limit: number, reverse: boolean): number[] =>
          list.slice(
            (item) => item < low,
            (item) => item <= high,
            limit,
            reverse,
          );
        expect(slice(10_000, false)).toEqual(within);
        expect(slice(10_000, true)).toEqual([...within].reverse());
        expect(slice(300, true)).toEqual([...within].reverse().slice(0, 300));
      }),
      { numRuns: 30 },
    );
  });
});
