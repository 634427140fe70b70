import { fromWire } from '../../core/model/value-codec.ts';
import type { Outcome } from '../../core/model/outcome.ts';
import type { OutgoingEntry } from '../../core/ports/remote.ts';
import { classify, failureOf } from './classify.ts';
import type { AnswerFacts } from './classify.ts';
import { excerpt } from './excerpt.ts';
import { PROBLEM_CONTENT_TYPE, PROTOCOL_VERSION } from './protocol.ts';
import { clampRetryAfterMs } from './retry-after.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value of JSON text, undefined if it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * The results of a push by entry id, undefined if the text is not an answer of this protocol. An id that
 * occurs twice maps to null: contradictory answers are none.
 */
export function resultsById(text: string): ReadonlyMap<string, JsonObject | null> | undefined {
  const answer = parseJson(text);
  if (!isJsonObject(answer) || answer['protocol'] !== PROTOCOL_VERSION) return undefined;
  const results = answer['results'];
  if (!Array.isArray(results)) return undefined;
  const byId = new Map<string, JsonObject | null>();
  for (const result of results as readonly unknown[]) {
    if (!isJsonObject(result)) continue;
    const id = result['id'];
    if (typeof id === 'string') byId.set(id, byId.has(id) ? null : result);
  }
  return byId;
}

/** What a result says of its entry. Anything unreadable leaves the entry's fate unknown. */
export function outcomeOfResult(
  result: JsonObject,
  entry: OutgoingEntry,
  at: number,
  secrets: readonly string[],
): Outcome {
  try {
    switch (result['status']) {
      case 'applied':
        return { kind: 'applied', ...version(result), ...value(result) };
      case 'conflict':
        // Without the row there is nothing to resolve, and `null` would mean that it was deleted.
        if (!Object.hasOwn(result, 'remote'))
          return unknownOutcome(at, 'a conflict without its row');
        return {
          ...conflictOf(result),
          failure: failureOf(facts(result, at, secrets, 409), 'remote/rejected'),
        };
      case 'rejected':
        return {
          kind: 'rejected',
          failure: failureOf(facts(result, at, secrets, 422), 'remote/rejected'),
        };
      case 'retry':
        return retryOf(result, entry, at, secrets);
      default:
        return unknownOutcome(at, 'a result with an unknown status');
    }
  } catch {
    return unknownOutcome(at, 'a value that cannot be decoded');
  }
}

/** The server may have applied the entry and did not say so in a way that can be read. */
export function unknownOutcome(at: number, detail: string): Outcome {
  const failure = { code: 'remote/protocol', detail, at };
  return { kind: 'retry', scope: 'entry', ambiguous: true, failure };
}

function version(result: JsonObject): { version?: string } {
  return typeof result['version'] === 'string' ? { version: result['version'] } : {};
}

function value(result: JsonObject): { value?: unknown } {
  return Object.hasOwn(result, 'value') ? { value: fromWire(result['value']) } : {};
}

function conflictOf(result: JsonObject): Extract<Outcome, { kind: 'conflict' }> {
  return { kind: 'conflict', remote: fromWire(result['remote']), ...version(result) };
}

/** The problem's status decides as it would for a whole answer; `retry` itself promises "not applied". */
function retryOf(
  result: JsonObject,
  entry: OutgoingEntry,
  at: number,
  secrets: readonly string[],
): Outcome {
  const known = facts(result, at, secrets, 424);
  const classified = classify(known, entry.operation);
  const scope = result['scope'] === 'endpoint' ? 'endpoint' : 'entry';
  const ambiguous = result['ambiguous'] === true;
  const after = known.retryAfterMs === undefined ? {} : { retryAfterMs: known.retryAfterMs };
  if (classified.kind === 'retry') return { ...classified, scope, ambiguous, ...after };
  return { kind: 'retry', scope, ambiguous, ...after, failure: failureOf(known, 'remote/server') };
}

function facts(
  result: JsonObject,
  at: number,
  secrets: readonly string[],
  defaultStatus: number,
): AnswerFacts {
  const problem = isJsonObject(result['problem']) ? result['problem'] : {};
  const { status, type } = problem;
  const after = result['retryAfter'];
  return {
    status: typeof status === 'number' ? status : defaultStatus,
    problemType: typeof type === 'string' ? type : null,
    contentType: PROBLEM_CONTENT_TYPE,
    scope: 'entry',
    ...(typeof after === 'number' && { retryAfterMs: clampRetryAfterMs(after * 1000) }),
    detail: problemDetail(problem, secrets),
    at,
  };
}

/** Type, title and detail of a problem in one line for people. */
export function problemDetail(problem: JsonObject, secrets: readonly string[]): string {
  const parts = [problem['title'], problem['detail']].filter((part) => typeof part === 'string');
  return excerpt(parts.join(': '), secrets);
}
