import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PriorityRank } from '../model/priority.ts';
import {
  isReady,
  MAX_PARTITIONS,
  parkedPosition,
  parkedRange,
  positionsOfSeq,
  rankOfPosition,
  readyPosition,
  readyRange,
  SEQ_LIMIT,
  seqOfPosition,
} from './position.ts';

const partitions = fc.nat(MAX_PARTITIONS - 1);
const ranks = fc.constantFrom<PriorityRank>(0, 1, 2, 3);
const seqs = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.constant(SEQ_LIMIT - 1));

describe('the position of an entry', () => {
  test('is a safe integer that tells rank and seq', () => {
    fc.assert(
      fc.property(partitions, ranks, seqs, (partition, rank, seq) => {
        const position = readyPosition(partition, rank, seq);

        expect(Number.isSafeInteger(position)).toBe(true);
        expect(isReady(position)).toBe(true);
        expect(rankOfPosition(position)).toBe(rank);
        expect(seqOfPosition(position)).toBe(seq);
      }),
    );
  });

  test('of a parked entry is a safe integer behind all that may be sent', () => {
    fc.assert(
      fc.property(partitions, ranks, seqs, partitions, seqs, (p, rank, seq, other, otherSeq) => {
        const parked = parkedPosition(other, otherSeq);

        expect(Number.isSafeInteger(parked)).toBe(true);
        expect(isReady(parked)).toBe(false);
        expect(seqOfPosition(parked)).toBe(otherSeq);
        expect(parked).toBeGreaterThan(readyPosition(p, rank, seq));
      }),
    );
  });

  test('orders by priority first, then by age', () => {
    const inOrder = [
      readyPosition(0, 0, 9),
      readyPosition(0, 1, 8),
      readyPosition(0, 2, 3),
      readyPosition(0, 2, 7),
      readyPosition(0, 3, 1),
    ];

    expect(inOrder.toSorted((a, b) => a - b)).toEqual(inOrder);
  });

  test('lies in the range of its partition and of no other', () => {
    fc.assert(
      fc.property(partitions, partitions, ranks, seqs, (partition, other, rank, seq) => {
        const ready = readyPosition(partition, rank, seq);
        const { from, to } = readyRange(other, 0, 3);
        const parked = parkedPosition(partition, seq);
        const parkedOther = parkedRange(other);

        expect(ready >= from && ready < to).toBe(partition === other);
        expect(parked >= parkedOther.from && parked < parkedOther.to).toBe(partition === other);
      }),
    );
  });

  test('lies in a range of priorities exactly if its own is among them', () => {
    const { from, to } = readyRange(5, 1, 2);
    const isIn = (rank: PriorityRank): boolean => {
      const position = readyPosition(5, rank, SEQ_LIMIT - 1);
      return position >= from && position < to;
    };

    expect([isIn(0), isIn(1), isIn(2), isIn(3)]).toEqual([false, true, true, false]);
  });

  test('is one of the five where the entry can stand', () => {
    expect(positionsOfSeq(3, 7)).toEqual([
      readyPosition(3, 0, 7),
      readyPosition(3, 1, 7),
      readyPosition(3, 2, 7),
      readyPosition(3, 3, 7),
      parkedPosition(3, 7),
    ]);
  });

  test('does not exist for a seq beyond 40 bits', () => {
    expect(() => readyPosition(0, 0, SEQ_LIMIT)).toThrow(/fits 40 bits/);
    expect(() => readyPosition(0, 0, 0)).toThrow(/fits 40 bits/);
  });
});
