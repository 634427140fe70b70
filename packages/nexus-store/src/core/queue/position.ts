import { assert } from '../model/errors.ts';
import type { PriorityRank } from '../model/priority.ts';

/**
 * The key of an entry on disk, one safe integer that says where the entry stands:
 *
 *     bit 52        parked: it waits for something (its lane, a time, a decision); 0: it may be sent
 *     bits 42..51   partition: whose queue it is
 *     bits 40..41   effective priority, 0 is critical (0 while parked)
 *     bits 0..39    seq
 *
 * So the entries of one partition that may be sent are one range, in the order in which to send them,
 * and a claim reads the beginning of that range however many entries wait elsewhere.
 */
export const SEQ_LIMIT: number = 2 ** 40;
const RANK_SIZE = SEQ_LIMIT;
const PARTITION_SIZE = 4 * RANK_SIZE;
const PARKED = 2 ** 52;

/** How many partitions one database can have. */
export const MAX_PARTITIONS = 1024;

export function readyPosition(partition: number, rank: PriorityRank, seq: number): number {
  assert(seq > 0 && seq < SEQ_LIMIT, 'a seq fits 40 bits');
  return partition * PARTITION_SIZE + rank * RANK_SIZE + seq;
}

export function parkedPosition(partition: number, seq: number): number {
  return PARKED + readyPosition(partition, 0, seq);
}

export function isReady(position: number): boolean {
  return position < PARKED;
}

/** The effective priority that a ready position stands for. */
export function rankOfPosition(position: number): PriorityRank {
  return (Math.floor((position % PARTITION_SIZE) / RANK_SIZE) % 4) as PriorityRank;
}

export function seqOfPosition(position: number): number {
  return position % SEQ_LIMIT;
}

/** The ready positions of one partition and of priorities from `best` to `worst`: from <= p < to. */
export function readyRange(
  partition: number,
  best: PriorityRank,
  worst: PriorityRank,
): { from: number; to: number } {
  const start = partition * PARTITION_SIZE;
  return { from: start + best * RANK_SIZE, to: start + (worst + 1) * RANK_SIZE };
}

export function parkedRange(partition: number): { from: number; to: number } {
  const start = PARKED + partition * PARTITION_SIZE;
  return { from: start, to: start + RANK_SIZE };
}

/** Everywhere the entry of this seq can stand. */
export function positionsOfSeq(partition: number, seq: number): readonly number[] {
  return [
    readyPosition(partition, 0, seq),
    readyPosition(partition, 1, seq),
    readyPosition(partition, 2, seq),
    readyPosition(partition, 3, seq),
    parkedPosition(partition, seq),
  ];
}
