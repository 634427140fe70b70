import { readStanding, type Standing } from '../queue/inspect.ts';
import { hasUndecided, type Decides } from '../queue/undecided.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import { clockBackMs } from '../queue/waits.ts';
import { blockOf, gateUntil, readGate, type Gate } from './gate.ts';
import { readSyncedAt } from './synced-at.ts';

/** What is left to do for one user, and when: the one source of every timer and wake-up. */
export interface Rest extends Standing {
  readonly remaining: number;
  /** Conflicts wait that a context left to this one, which did not know how they are decided. */
  readonly hasUndecided: boolean;
  /** Epoch milliseconds until which the gate holds everything back; null if it does not. */
  readonly heldUntil: number | null;
  /** Nothing is sent until somebody acts. */
  readonly isBlocked: boolean;
  readonly gate: Gate;
  /** Epoch milliseconds when any context was last in step with the server; null: never. */
  readonly syncedAt: number | null;
}

const NOTHING = { readyRank: null, dueAt: null, oldestAt: null };

/** Reads it in one transaction, with a few records whatever the queue holds, asked for all at once. */
export async function readRest(
  uow: UnitOfWork,
  partition: number,
  isHalted: boolean,
  now: number,
  decides: Decides,
): Promise<Rest> {
  const [, gate, standing, backMs, syncedAt] = await Promise.all([
    uow.loadState(),
    readGate(uow),
    readStanding(uow, partition, now),
    clockBackMs(uow, partition, now),
    readSyncedAt(uow, partition),
  ]);
  const remaining = uow.counters(partition).pending.reduce((sum, count) => sum + count, 0);
  const { readyRank, dueAt, oldestAt } = remaining === 0 ? NOTHING : standing;
  return {
    readyRank,
    // A clock that was moved back delays nothing: the run that begins then moves the waits as well.
    dueAt: dueAt === null || dueAt <= now ? dueAt : Math.max(now, dueAt - backMs),
    claimed: standing.claimed,
    passed: standing.passed,
    oldestAt,
    remaining,
    hasUndecided: await hasUndecided(uow, partition, decides),
    heldUntil: gateUntil(gate, now),
    isBlocked: isHalted || blockOf(gate, partition) !== null,
    gate,
    syncedAt,
  };
}

/** When something may be sent, in whole milliseconds; null if nothing ever may by itself. */
export function nextAttemptAt(rest: Rest, now: number): number | null {
  if (rest.isBlocked || (rest.remaining === 0 && !rest.hasUndecided)) return null;
  const at = rest.readyRank === null && !rest.hasUndecided ? rest.dueAt : now;
  return at === null ? null : Math.ceil(Math.max(at, rest.heldUntil ?? 0, now));
}
