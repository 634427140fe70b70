import { LOWEST_RANK, type PriorityRank } from '../model/priority.ts';
import { detailOf, type EntryDetail, type EntryRecord, type LaneDetail } from './records.ts';

/** How many entries of a lane want each priority. */
export type Wants = LaneDetail['wants'];

export function bestRank(a: PriorityRank, b: PriorityRank): PriorityRank {
  return a < b ? a : b;
}

/** How urgent an entry makes everything it waits for. */
export function wantOf(entry: EntryRecord): PriorityRank {
  if (entry.detail === null) return entry.priority;
  return bestRank(entry.priority, detailOf(entry).boost ?? LOWEST_RANK);
}

/** True if the entry waits for others beyond its lane: a transaction, or `after`. */
export function isLinked(detail: EntryDetail): boolean {
  return detail.group !== undefined || detail.after !== undefined;
}

export function bestWanted(wants: Wants): PriorityRank {
  const best = wants.findIndex((count) => count > 0);
  return (best < 0 ? LOWEST_RANK : best) as PriorityRank;
}

export function counted(wants: Wants, rank: PriorityRank, sign: 1 | -1): Wants {
  const result = [...wants] as [number, number, number, number];
  result[rank] += sign;
  return result;
}
