import type { LeaseRecord } from './records.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/** Longer than any wait that is ever asked for: `Retry-After` is clamped to 24 hours. */
export const LONGEST_WAIT_MS: number = 25 * 3_600_000;

/** Leases this much longer than asked for mean that the clock was moved back. */
const SLACK_MS = 60_000;

/** True if a lease no longer protects its entries: it is over, or the clock was moved far back. */
export function isLeaseOver(lease: LeaseRecord, now: number): boolean {
  return lease.until <= now || lease.until > now + 2 * lease.leaseMs + SLACK_MS;
}

export function positionsOf(lease: LeaseRecord): readonly number[] {
  return positionsIn(lease) ?? [];
}

/** Undefined if the record is damaged: nobody knows what was claimed. */
export function positionsIn(lease: LeaseRecord): readonly number[] | undefined {
  try {
    const positions: unknown = JSON.parse(lease.positions);
    if (Array.isArray(positions)) return positions as number[];
  } catch {
    // Said by the caller.
  }
  return undefined;
}

/**
 * - `held`: it is being sent.
 * - `over`: its runner is gone or late. Nobody is sending it, and nobody knows whether it was applied; the
 *   next claim writes that down.
 */
export type ClaimState = 'held' | 'over';

/** How every claimed entry stands at this moment, by position. */
export async function claimStates(
  uow: UnitOfWork,
  now: number,
): Promise<ReadonlyMap<number, ClaimState>> {
  const states = new Map<number, ClaimState>();
  for (const lease of (await uow.leases()).values()) {
    const state = isLeaseOver(lease, now) ? 'over' : 'held';
    for (const position of positionsOf(lease)) states.set(position, state);
  }
  return states;
}

/** The claims of one partition that are not over. */
export async function heldLeases(
  uow: UnitOfWork,
  partition: number,
  now: number,
): Promise<readonly LeaseRecord[]> {
  const leases = [...(await uow.leases()).values()];
  return leases.filter((lease) => lease.partition === partition && !isLeaseOver(lease, now));
}
