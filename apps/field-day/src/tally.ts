import { PRIORITIES, type SyncPriority } from 'nexus-store';

/** How many of each priority. */
export type Tally = Record<SyncPriority, number>;

export function emptyTally(): Tally {
  return { critical: 0, high: 0, normal: 0, low: 0 };
}

export function total(tally: Tally): number {
  return PRIORITIES.reduce((sum, priority) => sum + tally[priority], 0);
}

export function rankOf(priority: SyncPriority): number {
  return PRIORITIES.indexOf(priority);
}
