import type { PriorityRank } from '../../core/model/priority.ts';

export type Value = { readonly [field: string]: number } | null;
type Operation = 'create' | 'update' | 'delete' | 'command';

/** An entry as the model has it: everything the queue knows, without any index. */
export interface ModelEntry {
  readonly seq: number;
  readonly lane: string;
  operation: Operation;
  payload: Value;
  isPatch: boolean;
  priority: PriorityRank;
  group: string | undefined;
  after: Set<number>;
  state: 'dead' | 'conflict' | null;
  ambiguous: 0 | 1 | null;
  attempts: number;
  notBefore: number | null;
  expiresAt: number | null;
  key: string;
  fence: number | null;
  claimedRank: number;
  isDetached: boolean;
  isEchoed: boolean;
  /** It came back with an unknown fate: its effect may be older than what the row shows. */
  isRevived: boolean;
  /** What it came after when it left its lane. */
  followed: readonly number[];
  pinned: ModelPin | undefined;
  /** The last behind others, made before what others have changed since. */
  isStale: boolean;
  /** Of one that left its lane: what it was made on. */
  madeOn: ModelPin | undefined;
}

/** The row that an entry was made on. */
export interface ModelPin {
  readonly version: string | null;
  readonly value: Value;
  readonly isInherited: boolean;
  /** The value holds the effect of the entry itself. */
  readonly hasOwn: boolean;
}

interface Lease {
  readonly fence: number;
  readonly until: number;
}

export const LEASE_MS = 1_000;

/**
 * The reference: one list in the order of making, and everything else worked out from it each time.
 */
export class OrderModel {
  entries: ModelEntry[] = [];
  leases: Lease[] = [];
  nextSeq = 1;
  nextFence = 1;
  now = 1_000_000;

  lane(name: string): ModelEntry[] {
    return this.entries.filter((entry) => entry.lane === name && !entry.isDetached);
  }

  unit(entry: ModelEntry): ModelEntry[] {
    if (entry.group === undefined) return [entry];
    return this.entries.filter(({ group }) => group === entry.group);
  }

  units(): ModelEntry[][] {
    return this.entries
      .filter((entry) => this.unit(entry)[0] === entry)
      .map((entry) => this.unit(entry));
  }

  waits(unit: readonly ModelEntry[], other: readonly ModelEntry[]): boolean {
    return unit.some((later) =>
      other.some(
        (earlier) =>
          !later.isDetached &&
          !earlier.isDetached &&
          ((later.lane === earlier.lane && earlier.seq < later.seq) ||
            later.after.has(earlier.seq)),
      ),
    );
  }

  /** The best priority of a unit and of all that wait for it, transitively. */
  effective(unit: readonly ModelEntry[], units: readonly ModelEntry[][]): number {
    const found = [unit];
    for (const next of found) {
      for (const other of units) {
        if (!found.some((known) => known[0] === other[0]) && this.waits(other, next))
          found.push(other);
      }
    }
    return Math.min(...found.flat().map(({ priority }) => priority));
  }

  isEligible(unit: readonly ModelEntry[], units: readonly ModelEntry[][], now: number): boolean {
    return (
      unit.every(
        ({ state, fence, notBefore }) =>
          state === null && fence === null && (notBefore === null || notBefore <= now),
      ) && !units.some((other) => other[0] !== unit[0] && this.waits(unit, other))
    );
  }

  claim(limit: number, worst: number, deferLow: boolean): number[] {
    this.endLeases();
    for (const entry of this.entries) {
      if (entry.notBefore !== null && entry.notBefore <= this.now) entry.notBefore = null;
    }
    const units = this.units();
    const eligible = units
      .filter((unit) => this.isEligible(unit, units, this.now))
      .map((unit) => ({ unit, rank: this.effective(unit, units) }))
      .sort((a, b) => a.rank - b.rank || (a.unit[0]?.seq ?? 0) - (b.unit[0]?.seq ?? 0))
      .filter(({ rank }) => rank <= worst);
    const sending = this.entries.filter(({ fence }) => fence !== null);
    const ranks = [...eligible, ...sending.map(({ claimedRank }) => ({ rank: claimedRank }))];
    const isUrgent = deferLow && ranks.some(({ rank }) => rank <= 1);
    const chosen: ModelEntry[] = [];
    for (const { unit, rank } of eligible) {
      if (chosen.length >= limit || (isUrgent && rank === 3)) break;
      if (chosen.length > 0 && chosen.length + unit.length > limit) break;
      for (const entry of unit) entry.claimedRank = entry === unit[0] ? rank : 9;
      chosen.push(...unit);
    }
    if (chosen.length === 0) return [];
    const fence = this.nextFence++;
    for (const entry of chosen) entry.fence = fence;
    this.leases.push({ fence, until: this.now + LEASE_MS });
    return chosen.map(({ seq }) => seq);
  }

  endLeases(): void {
    for (const { fence, until } of this.leases) {
      if (until > this.now) continue;
      for (const entry of this.entries) {
        if (entry.fence === fence) Object.assign(entry, { fence: null, ambiguous: 1 });
      }
    }
    this.leases = this.leases.filter(({ until }) => until > this.now);
  }
}
