import { MAX_FAILURE_DETAIL_LENGTH, type Outcome, type SyncFailure } from '../model/outcome.ts';
import { encodeValue } from '../model/value-codec.ts';
import { hasOtherId, type RulesOf } from '../queue/collection-rules.ts';
import type { EntryRecord } from '../queue/records.ts';

/** What to make of a remote that did not answer as its law says: nobody knows what it did. */
export function unusable(count: number, code: string, at: number, detail?: string): Outcome[] {
  const failure = failureWith(code, at, detail);
  return Array.from({ length: count }, () => ({
    kind: 'retry',
    scope: 'endpoint',
    ambiguous: true,
    failure,
  }));
}

/** Outcomes as the engine can use and store them: one for each entry, of a kind it knows, with a failure. */
export function checkedOutcomes(answer: unknown, count: number, at: number): readonly Outcome[] {
  if (!Array.isArray(answer) || answer.length !== count) {
    return unusable(count, 'remote/protocol', at, 'the remote gave another number of outcomes');
  }
  // A list may have holes, which `map` leaves as they are.
  return Array.from(answer, (outcome: unknown) => checkedOutcome(outcome, at));
}

/**
 * Without the values that carry another id than their entity: kept, such a value would be found under one id and
 * saved under another. What was applied was applied all the same, and the other side of a conflict is fetched.
 */
export function withOwnValues(
  outcomes: readonly Outcome[],
  entries: readonly EntryRecord[],
  rulesOf: RulesOf,
): readonly Outcome[] {
  return outcomes.map((outcome, index) => {
    const entry = entries[index];
    if (entry === undefined) return outcome;
    const isOthers = (value: unknown): boolean =>
      hasOtherId(rulesOf(entry.collection), value, entry.entity);
    if (outcome.kind === 'conflict' && isOthers(outcome.remote))
      return { ...outcome, remote: undefined };
    if (outcome.kind !== 'applied' || !isOthers(outcome.value)) return outcome;
    const { value: _, ...rest } = outcome;
    return rest;
  });
}

/** An outcome as a remote gave it: nothing of it need be what it should be. */
interface Given {
  readonly kind?: unknown;
  readonly version?: unknown;
  readonly value?: unknown;
  readonly remote?: unknown;
  readonly scope?: unknown;
  readonly ambiguous?: unknown;
  readonly retryAfterMs?: unknown;
  readonly withheld?: unknown;
  readonly upgradeRequired?: unknown;
  readonly sweeping?: unknown;
  readonly failure?: unknown;
}

/** Every part is what it should be, or left out: what cannot be stored would leave its entry claimed. */
function checkedOutcome(given: unknown, at: number): Outcome {
  const outcome: Given = isObject(given) ? given : {};
  const { kind } = outcome;
  switch (kind) {
    case 'applied':
      return { kind, ...versionIn(outcome), ...valueIn(outcome) };
    case 'conflict': {
      const failure = failureIn(outcome, 'remote/conflict', at);
      const known = failure === undefined ? {} : { failure };
      return { kind, remote: remoteIn(outcome), ...versionIn(outcome), ...known };
    }
    case 'retry': {
      const failure = failureIn(outcome, 'remote/protocol', at);
      return failure === undefined ? unknownOutcome(at) : checkedRetry(outcome, failure);
    }
    case 'rejected':
    case 'too-large':
    case 'unauthorised': {
      const code = kind === 'unauthorised' ? 'remote/unauthorised' : 'remote/rejected';
      const failure = failureIn(outcome, code, at);
      if (failure === undefined) return unknownOutcome(at);
      const isSweeping = kind === 'rejected' && outcome.sweeping === true;
      return isSweeping ? { kind, sweeping: true, failure } : { kind, failure };
    }
    default:
      return unknownOutcome(at);
  }
}

function unknownOutcome(at: number): Outcome {
  const failure = failureWith('remote/protocol', at, 'the remote gave an unknown outcome');
  return { kind: 'retry', scope: 'entry', ambiguous: true, failure };
}

/** Instants are whole milliseconds, and what is no time at all is no wish to wait. */
function checkedRetry(
  { scope, ambiguous, retryAfterMs, withheld, upgradeRequired }: Given,
  failure: SyncFailure,
): Outcome {
  const isTime = typeof retryAfterMs === 'number' && retryAfterMs >= 0;
  return {
    kind: 'retry',
    scope: scope === 'endpoint' ? 'endpoint' : 'entry',
    // Only a clear no is one: sent again under another key, it might be applied twice.
    ambiguous: ambiguous !== false,
    ...(isTime ? { retryAfterMs: Math.ceil(retryAfterMs) } : {}),
    ...(withheld === true ? { withheld } : {}),
    ...(upgradeRequired === true ? { upgradeRequired } : {}),
    failure,
  };
}

/** What is no text is no version: the server has told us of none. */
function versionIn({ version }: Given): { readonly version?: string } {
  return typeof version === 'string' ? { version } : {};
}

function valueIn({ value }: Given): { readonly value?: unknown } {
  return value === undefined ? {} : { value };
}

/** What cannot be stored is as good as not sent. Taken for nothing at all it would delete what is here. */
function remoteIn({ remote }: Given): unknown {
  try {
    encodeValue(remote);
    return remote;
  } catch {
    return undefined;
  }
}

/** @param code of a failure that names none */
function failureIn({ failure }: Given, code: string, at: number): SyncFailure | undefined {
  if (!isObject(failure)) return undefined;
  const given: { readonly [Name in keyof SyncFailure]?: unknown } = failure;
  const isNamed = typeof given.code === 'string' && given.code !== '';
  return {
    ...failureWith(
      isNamed ? (given.code as string) : code,
      Number.isFinite(given.at) ? (given.at as number) : at,
      typeof given.detail === 'string' ? given.detail : undefined,
    ),
    ...(Number.isFinite(given.status) ? { status: given.status as number } : {}),
  };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** A failure as it is stored: never longer than the limit. */
export function failureWith(code: string, at: number, detail?: string): SyncFailure {
  if (detail === undefined || detail === '') return { code, at };
  return { code, at, detail: detail.slice(0, MAX_FAILURE_DETAIL_LENGTH) };
}
