import { RemoteError } from '../model/errors.ts';
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
  /** The partition whose request failed: what the server told its user is nobody else's. */
  readonly failureOf: number | null;
  /** Nothing will work until the app is upgraded. */
  readonly isUpgradeRequired: boolean;
  /** Partitions whose user's credentials were refused. */
  readonly unauthorised: readonly number[];
  /** A request failed since the last push that worked: nobody knows whether the next one of others would. */
  readonly isDoubtful: boolean;
  /** Pushes that worked since the last request that failed, counted up to `ENOUGH`. */
  readonly worked: number;
  /** A pull has worked since then. */
  readonly isPulling: boolean;
  /** How often the number of entries in a request is halved: one of them may have been what failed. */
  readonly halvings: number;
}

/** So many pushes in a row that worked show that the way does: one may get through a bad line by chance. */
export const ENOUGH = 2;

export const GATE_SHUT: Gate = {
  failures: 0,
  until: null,
  retryAfterUntil: null,
  setAt: null,
  failure: null,
  failureOf: null,
  isUpgradeRequired: false,
  unauthorised: [],
  isDoubtful: false,
  worked: ENOUGH,
  isPulling: true,
  halvings: 0,
};

const NOTHING_WORKED = { isDoubtful: true, worked: 0, isPulling: false } as const;

/** So many failures in a row open the gate: then one entry probes before the rest follows. */
export const GATE_FAILURES = 5;

/** The longest a server may ask us to wait. */
export const MAX_RETRY_AFTER_MS: number = 24 * 3_600_000;

/** A request sees whether the endpoint works, or which entry it is that fails. */
export function isProbing(gate: Gate): boolean {
  return isOpen(gate) || gate.halvings === GATE_FAILURES;
}

/** How many entries a request may carry that could have carried so many. */
export function requestLimit(gate: Gate, limit: number): number {
  return isOpen(gate) ? 1 : Math.max(1, Math.floor(limit / 2 ** gate.halvings));
}

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
  /**
   * `by`: a pull may work where no push does. The one that follows a push that failed (`check`) ends no wait: else
   * a server that serves reads alone would be asked every second.
   */
  | {
      readonly kind: 'works';
      readonly by: 'push' | 'pull' | 'check';
      /** What was held against the entry was not its fault, nor are entries to be looked at one by one. */
      readonly clears?: boolean;
      /** It was sent beside what opened the gate, and says nothing of that. */
      readonly isBeside?: boolean;
      /** Nothing was applied: what was answered is sent once more, or never again. */
      readonly isUntaken?: boolean;
    }
  /** A request failed, and the entry that it carried is the likely cause, also of failures before (`acquits`). */
  | { readonly kind: 'doubt'; readonly acquits: boolean }
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
  if (lesson.kind === 'works') return afterSuccess(gate, lesson, partition, now);
  if (lesson.kind === 'doubt') return afterDoubt(gate, lesson.acquits, now);
  const { endpoint } = lesson;
  const failed = { ...gate, failureOf: partition };
  if (endpoint.block === null) return afterFailure(reanchored(failed, now), lesson, backoff);
  const { failure } = endpoint;
  if (endpoint.block === 'upgrade-required') return { ...failed, isUpgradeRequired: true, failure };
  const others = gate.unauthorised.filter((other) => other !== partition);
  return { ...failed, unauthorised: [...others, partition], failure };
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
  const { failure } = endpoint;
  const halvings = Math.min(known.halvings + (counts ? 1 : 0), GATE_FAILURES);
  const trace = { ...NOTHING_WORKED, halvings };
  return { ...known, ...trace, failures, until, retryAfterUntil, setAt, failure };
}

/** The endpoint took something. A wish to be left alone that another request brought still counts. */
function afterSuccess(
  gate: Gate,
  {
    by,
    clears = false,
    isBeside = false,
    isUntaken = false,
  }: Extract<GateLesson, { kind: 'works' }>,
  partition: number,
  now: number,
): Gate {
  const isPush = by === 'push';
  const isDoubtful = gate.isDoubtful && !isPush;
  const worked = Math.min(ENOUGH, gate.worked + (isPush ? 1 : 0));
  const isPulling = gate.isPulling || !isPush;
  // Put together with what broke the way before, it would never be taken.
  const isTaken = isPush && !isUntaken;
  const isFree = clears || (isTaken && !isBeside && isOpen(gate));
  const halvings = isFree ? 0 : Math.max(0, gate.halvings - (isTaken ? 1 : 0));
  const isShut = gate.failure === null && gate.failures === 0 && !gate.isUpgradeRequired;
  const isKnown = isShut && !gate.unauthorised.includes(partition);
  const trace = { isDoubtful, worked, isPulling, halvings };
  const isSame =
    isDoubtful === gate.isDoubtful &&
    worked === gate.worked &&
    isPulling === gate.isPulling &&
    halvings === gate.halvings;
  if (isKnown || by === 'check') return isSame ? gate : { ...gate, ...trace };
  const unauthorised = gate.unauthorised.filter((other) => other !== partition);
  return { ...GATE_SHUT, ...trace, unauthorised, ...askedWait(gate, now) };
}

/** An entry failed and not the endpoint. */
function afterDoubt(gate: Gate, acquits: boolean, now: number): Gate {
  const isKnown = gate.isDoubtful && gate.worked === 0 && !gate.isPulling;
  const doubtful = isKnown ? gate : { ...gate, ...NOTHING_WORKED };
  const isBlocked = gate.isUpgradeRequired || gate.unauthorised.length > 0;
  if (!acquits || isBlocked || gate.failures === 0) return doubtful;
  return { ...doubtful, failures: 0, failure: null, failureOf: null, ...askedWait(gate, now) };
}

/** What is left of the waits once the endpoint works: what the server asked for. */
function askedWait(gate: Gate, now: number): Pick<Gate, 'until' | 'retryAfterUntil' | 'setAt'> {
  const asked = askedToWaitUntil(gate, now);
  return { until: asked, retryAfterUntil: asked, setAt: asked === null ? null : gate.setAt };
}

/** Somebody signed in anew: the old refusal says nothing of the new credentials. */
export function withoutRefusal(gate: Gate, partition: number): Gate {
  const unauthorised = gate.unauthorised.filter((other) => other !== partition);
  const isCleared = gate.failures === 0 && unauthorised.length === 0 && !gate.isUpgradeRequired;
  return { ...gate, unauthorised, failure: isCleared ? null : gate.failure };
}

/** What may be shown of the last failure to the user of a partition. */
export function failureFor(gate: Gate, partition: number): SyncFailure | null {
  const { failure, failureOf } = gate;
  if (failure === null || failureOf === partition) return failure;
  // Somebody else's credentials are nothing to this user; an endpoint that fails is.
  return failure.code === 'remote/unauthorised' ? null : withoutDetail(failure);
}

/** The user of a partition has discarded everything: what the server told them goes as well. */
export function withoutTextOf(gate: Gate, partition: number): Gate {
  if (gate.failure === null || gate.failureOf !== partition) return gate;
  return { ...gate, failure: withoutDetail(gate.failure), failureOf: null };
}

function withoutDetail({ code, status, at }: SyncFailure): SyncFailure {
  return { code, ...(status === undefined ? {} : { status }), at };
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

/** What a call meets that is not made, since the server asked to be left alone. */
export function heldError(gate: Gate, now: number): RemoteError {
  const until = askedToWaitUntil(gate, now) ?? now;
  const retryAfterMs = until - now;
  return new RemoteError('remote/throttled', 'the server asked to wait', { retryAfterMs });
}
