import { NUMBER, OBJECT, requireKind } from '../../core/model/arguments.ts';
import type { Operation } from '../../core/model/entry.ts';
import type { RemoteErrorCode } from '../../core/model/errors.ts';
import type { Outcome, SyncFailure } from '../../core/model/outcome.ts';
import { hasMediaType, ProblemType, PROTOCOL_CONTENT_TYPE } from './protocol.ts';

/**
 * What a status means, before the operation and the problem type are looked at.
 *
 * - `endpoint`: the server did not take it, for reasons that concern every entry.
 * - `endpoint-ambiguous`: as above, yet it may have been applied.
 * - `entry`, `entry-ambiguous`: this entry failed and may succeed later.
 * - `missing`: there is no such entity.
 * - `key-or-conflict`: the problem type tells a key in progress, one already applied, and a conflict.
 */
export type AnswerClass =
  | 'success'
  | 'conflict'
  | 'endpoint'
  | 'endpoint-ambiguous'
  | 'entry'
  | 'entry-ambiguous'
  | 'key-or-conflict'
  | 'missing'
  | 'rejected'
  | 'too-large'
  | 'unauthorised'
  | 'upgrade-required';

/**
 * The table of design.md section 4, plus what the network itself says of itself (407, 421, 511). 502, 503
 * and 504 may come from a gateway whose upstream did apply the request, so they are ambiguous unless the
 * problem type says that it was our server which refused.
 */
export const CLASS_BY_STATUS: Readonly<Record<number, AnswerClass>> = {
  401: 'unauthorised',
  403: 'rejected',
  404: 'missing',
  407: 'endpoint-ambiguous',
  408: 'endpoint-ambiguous',
  409: 'key-or-conflict',
  410: 'missing',
  412: 'conflict',
  413: 'too-large',
  421: 'endpoint-ambiguous',
  423: 'entry',
  424: 'entry',
  425: 'endpoint',
  426: 'upgrade-required',
  429: 'endpoint',
  500: 'entry-ambiguous',
  501: 'rejected',
  502: 'endpoint-ambiguous',
  503: 'endpoint-ambiguous',
  504: 'endpoint-ambiguous',
  505: 'rejected',
  507: 'entry-ambiguous',
  511: 'endpoint-ambiguous',
};

/** Statuses of who refused the request before anybody could have applied it. */
const UNREAD_STATUSES: ReadonlySet<number> = new Set([
  400, 405, 411, 414, 415, 417, 422, 428, 431, 501, 505,
]);

/** Refusals that are about what a push carries. Others are of its method, its headers or its session. */
const CONTENT_STATUSES: ReadonlySet<number> = new Set([400, 402, 403, 422, 451]);

/** What a server says of single entries. */
const OF_ENTRIES: ReadonlySet<AnswerClass> = new Set([
  'conflict',
  'entry',
  'key-or-conflict',
  'rejected',
]);

/** Where one problem type says more than its status. */
const CLASS_BY_PROBLEM: ReadonlyMap<string, AnswerClass> = new Map([
  [ProblemType.busy, 'endpoint'],
  [ProblemType.throttled, 'endpoint'],
]);

const CODE_BY_STATUS: Readonly<Record<number, RemoteErrorCode>> = {
  401: 'remote/unauthorised',
  408: 'remote/timeout',
  426: 'remote/upgrade-required',
  429: 'remote/throttled',
  504: 'remote/timeout',
};

export type AnswerBody = 'json' | 'page' | 'other';

/** An answer as data, stripped of everything that must not decide. */
export interface AnswerFacts {
  /** The HTTP status; 0 if the platform hides it. */
  readonly status: number;
  /** The `type` of a problem document. */
  readonly problemType: string | null;
  readonly contentType: string | null;
  /**
   * What a refusal of a whole push says: JSON, as a server of whatever make does, a `page` for people, or
   * something `other`, nothing included. @defaultValue `json`
   */
  readonly body?: AnswerBody;
  /**
   * `entry`: the answer is about one entity. `request`: it is about a whole push, so 404 and 410 say that
   * no sync server lives at this address, and nothing about any entity.
   */
  readonly scope: 'entry' | 'request';
  /** @unit milliseconds */
  readonly retryAfterMs?: number;
  /** Excerpt of the body, at most 1 KiB. */
  readonly detail?: string;
  /** Epoch milliseconds. */
  readonly at: number;
  /** The server's row, if the answer carries it. */
  readonly remote?: unknown;
  readonly version?: string;
}

/** @throws UsageError `usage/invalid-argument` for a status that is no number */
export function answerClass(status: number, problemType: string | null): AnswerClass {
  requireKind('status', status, NUMBER);
  const special = problemType === null ? undefined : CLASS_BY_PROBLEM.get(problemType);
  if (special !== undefined) return special;
  const known = CLASS_BY_STATUS[status];
  if (known !== undefined) return known;
  if (status >= 200 && status < 300) return 'success';
  // Redirects are not followed: a captive portal redirects too, and a POST would become a GET.
  if (status < 400) return 'endpoint-ambiguous';
  // 520 to 530 are a content delivery network speaking of the way to the server.
  if (status >= 520 && status <= 530) return 'endpoint-ambiguous';
  return status < 500 ? 'rejected' : 'entry-ambiguous';
}

/** What an answer means for an entry with this operation. A pure function of data. */
export function classify(facts: AnswerFacts, operation: Operation): Outcome {
  requireKind('the facts of an answer', facts, OBJECT);
  const meaning = answerClass(facts.status, facts.problemType);
  // Whoever stands in the way must not bury a queue, and says nothing of any entry.
  if (isForeign(facts, meaning))
    return retry(facts, 'endpoint', !UNREAD_STATUSES.has(facts.status));
  switch (meaning) {
    case 'success':
      // A captive portal answers 200 as well: only our own content type is an acknowledgement.
      return isRecognised(facts) ? { kind: 'applied' } : retry(facts, 'endpoint', true);
    case 'endpoint':
      return retry(facts, 'endpoint', false);
    case 'endpoint-ambiguous':
      return retry(facts, 'endpoint', true);
    case 'entry':
      return retry(facts, 'entry', false);
    case 'entry-ambiguous':
      return retry(facts, isOfTheWay(facts) ? 'endpoint' : 'entry', true);
    case 'missing':
      return missing(facts, operation);
    case 'key-or-conflict':
      return keyOrConflict(facts);
    case 'conflict':
      return conflict(facts, facts.remote);
    case 'too-large':
      return { kind: 'too-large', failure: failureOf(facts, 'remote/rejected') };
    case 'unauthorised':
      return { kind: 'unauthorised', failure: failureOf(facts, 'remote/unauthorised') };
    case 'upgrade-required':
      return { ...retry(facts, 'endpoint', false), upgradeRequired: true };
    case 'rejected':
      return {
        kind: 'rejected',
        ...(isSweeping(facts) && { sweeping: true }),
        failure: failureOf(facts, 'remote/rejected'),
      };
  }
}

export function isRecognised(facts: Pick<AnswerFacts, 'status' | 'contentType'>): boolean {
  const isSuccess = facts.status >= 200 && facts.status < 300;
  return isSuccess && hasMediaType(facts.contentType, PROTOCOL_CONTENT_TYPE);
}

/**
 * A refusal of a whole push by somebody else than a sync server: a proxy, a firewall, a web server. A page for people
 * is certainly no answer to a client.
 */
function isForeign({ scope, body }: AnswerFacts, meaning: AnswerClass): boolean {
  if (scope === 'entry' || body !== 'page') return false;
  return OF_ENTRIES.has(meaning);
}

/** Whoever stands in the way refuses like this as well: in a bare line, or whatever the push carries. */
function isSweeping({ scope, body, status }: AnswerFacts): boolean {
  if (scope === 'entry' || body === undefined) return false;
  return body !== 'json' || !CONTENT_STATUSES.has(status);
}

/** Hosts and proxies have their own words for being overloaded or too slow: 509, 529, 598, 599. */
function isOfTheWay({ scope, status }: AnswerFacts): boolean {
  return scope === 'request' && !Object.hasOwn(CLASS_BY_STATUS, status);
}

export function failureOf(facts: AnswerFacts, code: RemoteErrorCode): SyncFailure {
  return {
    code,
    at: facts.at,
    ...(facts.status > 0 && { status: facts.status }),
    ...(facts.detail !== undefined && facts.detail !== '' && { detail: facts.detail }),
  };
}

function retryCode(facts: AnswerFacts): RemoteErrorCode {
  if (facts.status < 400) return 'remote/protocol';
  if (facts.scope === 'request' && (facts.status === 404 || facts.status === 410)) {
    return 'remote/protocol';
  }
  if (isForeign(facts, answerClass(facts.status, facts.problemType))) return 'remote/protocol';
  return CODE_BY_STATUS[facts.status] ?? 'remote/server';
}

type Retry = Extract<Outcome, { kind: 'retry' }>;

function retry(facts: AnswerFacts, scope: 'entry' | 'endpoint', ambiguous: boolean): Retry {
  return {
    kind: 'retry',
    scope,
    ambiguous,
    ...(facts.retryAfterMs !== undefined && { retryAfterMs: facts.retryAfterMs }),
    failure: failureOf(facts, retryCode(facts)),
  };
}

function missing(facts: AnswerFacts, operation: Operation): Outcome {
  // A wrong address must not acknowledge deletes, nor bury a whole queue.
  if (facts.scope === 'request') return retry(facts, 'endpoint', true);
  if (operation === 'delete') return { kind: 'applied' };
  if (operation === 'create') {
    return { kind: 'rejected', failure: failureOf(facts, 'remote/rejected') };
  }
  return conflict(facts, null);
}

function keyOrConflict(facts: AnswerFacts): Outcome {
  if (facts.problemType === ProblemType.keyInProgress) return retry(facts, 'entry', true);
  if (facts.problemType === ProblemType.alreadyApplied) {
    return { kind: 'applied', ...(facts.version !== undefined && { version: facts.version }) };
  }
  return conflict(facts, facts.remote);
}

/** `remote` is null if the entity is gone and undefined if the answer does not carry the row. */
function conflict(facts: AnswerFacts, remote: unknown): Outcome {
  return {
    kind: 'conflict',
    remote,
    ...(facts.version !== undefined && { version: facts.version }),
    failure: failureOf(facts, 'remote/rejected'),
  };
}
