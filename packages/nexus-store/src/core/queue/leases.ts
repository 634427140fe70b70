import type { LeaseRecord } from './records.ts';

/** Longer than any wait that is ever asked for: `Retry-After` is clamped to 24 hours. */
export const LONGEST_WAIT_MS: number = 25 * 3_600_000;

/** Leases this much longer than asked for mean that the clock was moved back. */
const SLACK_MS = 60_000;

/** True if a lease no longer protects its entries: it is over, or the clock was moved far back. */
export function isLeaseOver(lease: LeaseRecord, now: number): boolean {
  return lease.until <= now || lease.until > now + 2 * lease.leaseMs + SLACK_MS;
}
