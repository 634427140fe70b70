import { assert } from '../model/errors.ts';

/** Where the background service stands. */
export const BackgroundSyncStatus = {
  /** Nothing is asked of the system. */
  idle: 'idle',
  /** A wake-up is asked for. */
  scheduled: 'scheduled',
  /** A wake-up is at work. */
  running: 'running',
  /** The last run did what there was to do. */
  completed: 'completed',
  /** The last run did not. The journal says why, and another is asked for. */
  failed: 'failed',
} as const;

export type BackgroundSyncStatus = (typeof BackgroundSyncStatus)[keyof typeof BackgroundSyncStatus];

const NEXT = {
  idle: ['scheduled'],
  scheduled: ['running', 'idle'],
  running: ['completed', 'failed'],
  completed: ['scheduled', 'idle'],
  failed: ['scheduled', 'idle'],
} as const satisfies Record<BackgroundSyncStatus, readonly BackgroundSyncStatus[]>;

/** The new status, if the table allows it. */
export function transition(
  from: BackgroundSyncStatus,
  to: BackgroundSyncStatus,
): BackgroundSyncStatus {
  const allowed: readonly BackgroundSyncStatus[] = NEXT[from];
  assert(allowed.includes(to), `background sync: ${from} -> ${to} is not a transition`);
  return to;
}

/** The statuses on the way from one to another, the last included; empty if it is there already. */
export function path(
  from: BackgroundSyncStatus,
  to: BackgroundSyncStatus,
): readonly BackgroundSyncStatus[] {
  const queue: BackgroundSyncStatus[][] = [[from]];
  for (let way = queue.shift(); way !== undefined; way = queue.shift()) {
    const last = way.at(-1) as BackgroundSyncStatus;
    if (last === to) return way.slice(1);
    for (const next of NEXT[last]) if (!way.includes(next)) queue.push([...way, next]);
  }
  return [];
}
