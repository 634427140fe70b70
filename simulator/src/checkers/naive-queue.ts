import { groupBy } from '../group-by.ts';
import type { Disk } from '../world/disk.ts';
import type { History } from './history.ts';
import { detailOf, laneOf, type EntryOnDisk } from '../world/records.ts';

const LOWEST_RANK = 3;
/** A wait longer than any that is asked for means that the clock was moved back: it is no wait. */
const LONGEST_WAIT_MS = 25 * 3_600_000;

/** What is sent together: one entry, or all entries of a transaction. */
export interface Unit {
  readonly entries: readonly EntryOnDisk[];
  /** Stands in the queue for all. */
  readonly leader: EntryOnDisk;
  /** The best priority of everything that waits for it, directly or not. */
  readonly rank: number;
  /** Nothing it waits for is left, apart from a time. */
  readonly isFree: boolean;
  readonly notBefore: number | null;
}

/**
 * Order, worked out from a dump in the most obvious way: what waits for what is a graph, and an entry is
 * as urgent as the most urgent entry that reaches it.
 */
export class NaiveQueue {
  readonly units: readonly Unit[];
  /** The waiting entries of each lane, in order. */
  readonly lanes: ReadonlyMap<string, readonly EntryOnDisk[]>;
  readonly #unitOf = new Map<number, Unit>();

  constructor(disk: Disk, history: History) {
    const waiting = new Map<number, EntryOnDisk>();
    for (const entry of disk.entries.values()) {
      if (detailOf(entry).isDetached !== true) waiting.set(entry.seq, entry);
    }
    const inOrder = [...waiting.values()].toSorted((a, b) => a.seq - b.seq);
    const lanes = groupBy(inOrder, laneOf);
    const groups = groupBy(inOrder, unitName);
    const isWaiting: IsWaiting = (seq, dependent) =>
      waiting.has(seq) && !history.isReleased(seq, dependent);
    const prerequisites = prerequisitesOf(inOrder, isWaiting, lanes, groups);
    const ranks = ranksOf(inOrder, prerequisites);
    const units: Unit[] = [];
    for (const entries of groups.values()) {
      const unit = unitOf(entries, lanes, isWaiting, ranks);
      units.push(unit);
      for (const { seq } of entries) this.#unitOf.set(seq, unit);
    }
    this.lanes = lanes;
    this.units = units;
  }

  unitOf(seq: number): Unit | undefined {
    return this.#unitOf.get(seq);
  }
}

/** True if a unit may be claimed at this moment, as far as it is concerned itself. */
export function isDue(unit: Unit, now: number): boolean {
  const { isFree, notBefore } = unit;
  return isFree && (notBefore === null || notBefore <= now || notBefore >= now + LONGEST_WAIT_MS);
}

function unitName(entry: EntryOnDisk): string {
  const { group } = detailOf(entry);
  return group === undefined ? String(entry.seq) : `${entry.partition}/${group}`;
}

/** True if `dependent` still has to wait for `seq`, which it names. */
type IsWaiting = (seq: number, dependent: number) => boolean;
type Links = ReadonlyMap<number, readonly number[]>;

function prerequisitesOf(
  inOrder: readonly EntryOnDisk[],
  isWaiting: IsWaiting,
  lanes: ReadonlyMap<string, readonly EntryOnDisk[]>,
  groups: ReadonlyMap<string, readonly EntryOnDisk[]>,
): Links {
  const links = new Map<number, number[]>();
  for (const entry of inOrder) {
    const lane = lanes.get(laneOf(entry)) ?? [];
    const before = lane[lane.indexOf(entry) - 1];
    const after = (detailOf(entry).after ?? []).filter((seq) => isWaiting(seq, entry.seq));
    const mates = (groups.get(unitName(entry)) ?? []).map(({ seq }) => seq);
    links.set(entry.seq, [...(before === undefined ? [] : [before.seq]), ...after, ...mates]);
  }
  return links;
}

function ranksOf(inOrder: readonly EntryOnDisk[], prerequisites: Links): Map<number, number> {
  const ranks = new Map<number, number>();
  for (let rank = 0; rank <= LOWEST_RANK; rank += 1) {
    const work = inOrder.filter(({ priority }) => priority === rank).map(({ seq }) => seq);
    for (let seq = work.pop(); seq !== undefined; seq = work.pop()) {
      if (ranks.has(seq)) continue;
      ranks.set(seq, rank);
      work.push(...(prerequisites.get(seq) ?? []));
    }
  }
  return ranks;
}

function unitOf(
  entries: readonly EntryOnDisk[],
  lanes: ReadonlyMap<string, readonly EntryOnDisk[]>,
  isWaiting: IsWaiting,
  ranks: ReadonlyMap<number, number>,
): Unit {
  const own = new Set(entries.map(({ seq }) => seq));
  const isFree = entries.every((entry) => {
    const lane = lanes.get(laneOf(entry)) ?? [];
    const isAtHead = lane.every(({ seq }) => seq >= entry.seq || own.has(seq));
    const { after = [] } = detailOf(entry);
    const isReleased = after.every((seq) => own.has(seq) || !isWaiting(seq, entry.seq));
    return entry.state === null && isAtHead && isReleased;
  });
  const times = entries.map(({ notBefore }) => notBefore).filter((time) => time !== null);
  return {
    entries,
    leader: entries[0] as EntryOnDisk,
    rank: Math.min(...entries.map(({ seq }) => ranks.get(seq) ?? LOWEST_RANK)),
    isFree,
    notBefore: times.length === 0 ? null : Math.max(...times),
  };
}
