import type { PriorityRank } from '../model/priority.ts';
import { nextDueAt } from '../queue/claim.ts';
import { rankOfPosition, readyRange } from '../queue/position.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import { clockBackMs } from '../queue/waits.ts';
import { blockOf, gateUntil, readGate, type Gate } from './gate.ts';

/** What is left to do for one user, and when: the one source of every timer and wake-up. */
export interface Rest {
  readonly remaining: number;
  /** The best priority of what may be sent now, as far as the queue goes; null if nothing may. */
  readonly readyRank: PriorityRank | null;
  /** Epoch milliseconds when the next delay or lease ends; null if nothing waits for a time. */
  readonly dueAt: number | null;
  /** Epoch milliseconds until which the gate holds everything back; null if it does not. */
  readonly heldUntil: number | null;
  /** Nothing is sent until somebody acts. */
  readonly isBlocked: boolean;
  readonly gate: Gate;
}

/** Reads it in one transaction, with a few records whatever the queue holds. */
export async function readRest(
  uow: UnitOfWork,
  partition: number,
  isHalted: boolean,
  now: number,
): Promise<Rest> {
  await uow.loadState();
  const [critical, high, normal, low] = uow.counters(partition).pending;
  const remaining = critical + high + normal + low;
  const gate = await readGate(uow);
  return {
    remaining,
    readyRank: remaining === 0 ? null : await bestReady(uow, partition),
    dueAt: remaining === 0 ? null : await dueAfter(uow, partition, now),
    heldUntil: gateUntil(gate, now),
    isBlocked: isHalted || blockOf(gate, partition) !== null,
    gate,
  };
}

/** When something may be sent; null if nothing ever may by itself. */
export function nextAttemptAt(rest: Rest, now: number): number | null {
  if (rest.isBlocked || rest.remaining === 0) return null;
  const at = rest.readyRank === null ? rest.dueAt : now;
  return at === null ? null : Math.max(at, rest.heldUntil ?? 0, now);
}

/** A clock that was moved back delays nothing: the run that begins then moves the waits as well. */
async function dueAfter(uow: UnitOfWork, partition: number, now: number): Promise<number | null> {
  const dueAt = await nextDueAt(uow, partition, now);
  if (dueAt === null || dueAt <= now) return dueAt;
  return Math.max(now, dueAt - (await clockBackMs(uow, partition, now)));
}

async function bestReady(uow: UnitOfWork, partition: number): Promise<PriorityRank | null> {
  const leased = await uow.leasedPositions();
  const { from, to } = readyRange(partition, 0, 3);
  const limit = leased.size + 1;
  const found = await uow.scanEntries({ from: [from], to: [to], toOpen: true, limit });
  const first = found.find((entry) => !leased.has(entry.position));
  return first === undefined ? null : rankOfPosition(first.position);
}
