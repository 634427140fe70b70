/** How urgently a write wants to reach the server. Also accepted as plain strings. */
export const SyncPriority = {
  /** Sync immediately. Use sparingly: systems throttle apps that cry wolf. */
  critical: 'critical',
  /** Sync soon. */
  high: 'high',
  /** Standard priority, the default. */
  normal: 'normal',
  /** Defer if busy. */
  low: 'low',
} as const;

export type SyncPriority = (typeof SyncPriority)[keyof typeof SyncPriority];

/** All priorities, best first. The position of a priority here is its rank on disk. */
export const PRIORITIES: readonly SyncPriority[] = ['critical', 'high', 'normal', 'low'];

/** A priority as stored: 0 is critical, 3 is low. Smaller goes first. */
export type PriorityRank = 0 | 1 | 2 | 3;

export const LOWEST_RANK: PriorityRank = 3;

const RANKS: ReadonlyMap<unknown, PriorityRank> = new Map([
  ['critical', 0],
  ['high', 1],
  ['normal', 2],
  ['low', 3],
]);

/** The rank of a priority, or undefined for anything that is not one. */
export function priorityRank(priority: unknown): PriorityRank | undefined {
  return RANKS.get(priority);
}

export function priorityOfRank(rank: PriorityRank): SyncPriority {
  return PRIORITIES[rank] as SyncPriority;
}
