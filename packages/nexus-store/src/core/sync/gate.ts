import type { SyncFailure } from '../model/outcome.ts';
import { backoffDelayMs, type Backoff } from '../queue/backoff.ts';
import { isObject, readFact } from '../queue/facts.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';

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
  /** Epoch milliseconds when the two were set; an earlier clock means that it was moved back. */
  readonly setAt: number | null;
  readonly failure: SyncFailure | null;
  /** Nothing will work until the app is upgraded. */
  readonly isUpgradeRequired: boolean;
  /** Partitions whose user's credentials were refused. */
  readonly unauthorised: readonly number[];
}

export const GATE_SHUT: Gate = {
  failures: 0,
  until: null,
  retryAfterUntil: null,
  setAt: null,
  failure: null,
  isUpgradeRequired: false,
  unauthorised: [],
};

/** So many failures in a row open the gate: then one entry probes before the rest follows. */
export const GATE_FAILURES = 5;

/** The longest a server may ask us to wait. */
export const MAX_RETRY_AFTER_MS: number = 24 * 3_600_000;

export function isOpen(gate: Gate): boolean {
  return gate.failures >= GATE_FAILURES;
}

export type Block = 'unauthorised' | 'upgrade-required';

/** Why nothing of this user is sent until somebody acts; null if nothing hinders. */
export function blockOf(gate: Gate, partition: number): Block | null {
  if (gate.isUpgradeRequired) return 'upgrade-required';
  return gate.unauthorised.includes(partition) ? 'unauthorised' : null;
}

/** A failure of the server or of the way to it, as opposed to one of an entry. */
export interface EndpointFailure {
  readonly failure: SyncFailure;
  readonly retryAfterMs: number | undefined;
  readonly block: Block | null;
  /** The way to the server failed, rather than the server asking to wait. */
  readonly isOffline: boolean;
}

/** What one request taught us of the endpoint, drawn once so that a repeated transaction agrees. */
export type GateLesson =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'works' }
  | {
      readonly kind: 'failed';
      readonly endpoint: EndpointFailure;
      readonly at: number;
      /** Uniform in [0, 1). */
      readonly jitter: number;
      /** False for one of several requests that failed side by side: only its wish to wait is news. */
      readonly counts: boolean;
    };

/** The gate after a lesson; the same object if it changes nothing. */
export function afterLesson(
  gate: Gate,
  lesson: GateLesson,
  partition: number,
  backoff: Backoff,
  now: number,
): Gate {
  if (lesson.kind === 'nothing') return gate;
  if (lesson.kind === 'works') return afterSuccess(gate, partition, now);
  const { endpoint } = lesson;
  if (endpoint.block === null) return afterFailure(reanchored(gate, now), lesson, backoff);
  const { failure } = endpoint;
  if (endpoint.block === 'upgrade-required') return { ...gate, isUpgradeRequired: true, failure };
  const others = gate.unauthorised.filter((other) => other !== partition);
  return { ...gate, unauthorised: [...others, partition], failure };
}

/** @param known the gate as it stands now: another context may have written it since the lesson */
function afterFailure(
  known: Gate,
  { endpoint, at, jitter, counts }: Extract<GateLesson, { kind: 'failed' }>,
  backoff: Backoff,
): Gate {
  const failures = known.failures + (counts ? 1 : 0);
  const asked =
    endpoint.retryAfterMs === undefined
      ? 0
      : at + Math.ceil(Math.min(Math.max(0, endpoint.retryAfterMs), MAX_RETRY_AFTER_MS));
  const retryAfterUntil = Math.max(asked, known.retryAfterUntil ?? 0) || null;
  const waitUntil = counts
    ? at + backoffDelayMs(backoff, failures - 1, () => jitter)
    : (known.until ?? at);
  const until = Math.max(waitUntil, retryAfterUntil ?? 0);
  const setAt = Math.max(at, known.setAt ?? at);
  return { ...known, failures, until, retryAfterUntil, setAt, failure: endpoint.failure };
}

/** The endpoint took something. A wish to be left alone that another request brought still counts. */
function afterSuccess(gate: Gate, partition: number, now: number): Gate {
  const isShut = gate.failure === null && gate.failures === 0 && !gate.isUpgradeRequired;
  if (isShut && !gate.unauthorised.includes(partition)) return gate;
  const asked = askedToWaitUntil(gate, now);
  const unauthorised = gate.unauthorised.filter((other) => other !== partition);
  return {
    ...GATE_SHUT,
    unauthorised,
    until: asked,
    retryAfterUntil: asked,
    setAt: asked === null ? null : gate.setAt,
  };
}

/** Somebody signed in anew: the old refusal says nothing of the new credentials. */
export function withoutRefusal(gate: Gate, partition: number): Gate {
  const unauthorised = gate.unauthorised.filter((other) => other !== partition);
  const isCleared = gate.failures === 0 && unauthorised.length === 0 && !gate.isUpgradeRequired;
  return { ...gate, unauthorised, failure: isCleared ? null : gate.failure };
}

/**
 * The gate as it must be read after the clock was moved back behind the instant it was set at: what was
 * to wait then waits from now on. Otherwise a step of a day would hold everything back for a day.
 */
export function reanchored(gate: Gate, now: number): Gate {
  if (gate.setAt === null || now >= gate.setAt) return gate;
  const back = gate.setAt - now;
  return {
    ...gate,
    setAt: now,
    until: gate.until === null ? null : gate.until - back,
    retryAfterUntil: gate.retryAfterUntil === null ? null : gate.retryAfterUntil - back,
  };
}

/** The instant before which the server asked not to be called, if that is still to come. */
export function askedToWaitUntil(gate: Gate, now: number): number | null {
  const until = reanchored(gate, now).retryAfterUntil;
  return until !== null && until > now ? until : null;
}

/** When the next attempt is due, seen from now; null: at once. */
export function gateUntil(gate: Gate, now: number): number | null {
  const { until } = reanchored(gate, now);
  return until !== null && until > now ? until : null;
}

const NAME = 'gate:remote';

export async function readGate(uow: UnitOfWork): Promise<Gate> {
  return { ...GATE_SHUT, ...(await readFact<Gate>(uow, NAME, isObject)) };
}

export function writeGate(uow: UnitOfWork, gate: Gate): void {
  uow.put('meta', [NAME], { name: NAME, value: JSON.stringify(gate) });
}
