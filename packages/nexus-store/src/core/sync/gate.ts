import type { SyncFailure } from '../model/outcome.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import { backoffDelayMs, type Backoff } from '../queue/backoff.ts';

/**
 * What is known of the endpoint: how often it failed in a row, and until when it is left alone. Kept
 * with the queue, or each wake-up of the system would start a storm.
 */
export interface Gate {
  /** Consecutive failures of the endpoint, 0 while it works. */
  readonly failures: number;
  /** Epoch milliseconds before which no attempt is due; null: now. */
  readonly until: number | null;
  /** Epoch milliseconds before which the server asked not to be called; null: it did not ask. */
  readonly retryAfterUntil: number | null;
  readonly failure: SyncFailure | null;
  /** Nothing will work until the app is upgraded, or somebody signs in anew. */
  readonly block: 'upgrade-required' | 'unauthorised' | null;
}

export const GATE_SHUT: Gate = {
  failures: 0,
  until: null,
  retryAfterUntil: null,
  failure: null,
  block: null,
};

/** So many failures in a row open the gate: then one entry probes before the rest follows. */
export const GATE_FAILURES = 5;

/** The longest a server may ask us to wait. */
const MAX_RETRY_AFTER_MS = 24 * 3_600_000;

export function isOpen(gate: Gate): boolean {
  return gate.failures >= GATE_FAILURES;
}

/** The gate after one more failure of the endpoint. */
export function afterFailure(
  gate: Gate,
  failure: SyncFailure,
  retryAfterMs: number | undefined,
  backoff: Backoff,
  now: number,
  random: () => number,
): Gate {
  const failures = gate.failures + 1;
  const asked =
    retryAfterMs === undefined
      ? null
      : now + Math.min(Math.max(0, retryAfterMs), MAX_RETRY_AFTER_MS);
  const retryAfterUntil = Math.max(asked ?? 0, gate.retryAfterUntil ?? 0) || null;
  const until = Math.max(now + backoffDelayMs(backoff, failures - 1, random), retryAfterUntil ?? 0);
  return { failures, until, retryAfterUntil, failure, block: gate.block };
}

/**
 * The instant before which the server asked not to be called, if that is still to come. An instant
 * beyond what a server may ask means that the clock was moved back: it no longer holds.
 */
export function askedToWaitUntil(gate: Gate, now: number): number | null {
  const until = gate.retryAfterUntil;
  return until !== null && until > now && until <= now + MAX_RETRY_AFTER_MS ? until : null;
}

/** When the next attempt is due, seen from now. */
export function gateUntil(gate: Gate, now: number): number | null {
  const { until } = gate;
  if (until === null || until <= now) return null;
  return until > now + MAX_RETRY_AFTER_MS ? null : until;
}

const NAME = 'gate:remote';

export async function readGate(uow: UnitOfWork): Promise<Gate> {
  const record = await uow.get('meta', [NAME]);
  return record === undefined
    ? GATE_SHUT
    : { ...GATE_SHUT, ...(JSON.parse(record['value'] as string) as Gate) };
}

export function writeGate(uow: UnitOfWork, gate: Gate): void {
  uow.put('meta', [NAME], { name: NAME, value: JSON.stringify(gate) });
}
