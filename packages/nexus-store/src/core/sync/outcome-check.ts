import { MAX_FAILURE_DETAIL_LENGTH, type Outcome, type SyncFailure } from '../model/outcome.ts';
import { hasOtherId, type RulesOf } from '../queue/collection-rules.ts';
import type { EntryRecord } from '../queue/records.ts';

const KINDS: ReadonlySet<unknown> = new Set([
  'applied',
  'conflict',
  'retry',
  'rejected',
  'too-large',
  'unauthorised',
]);

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

/** Outcomes as the engine can use them: one for each entry, of a kind it knows, with a failure. */
export function checkedOutcomes(answer: unknown, count: number, at: number): readonly Outcome[] {
  if (!Array.isArray(answer) || answer.length !== count) {
    return unusable(count, 'remote/protocol', at, 'the remote gave another number of outcomes');
  }
  return answer.map((outcome: unknown) =>
    isOutcome(outcome)
      ? withWholeWish(outcome)
      : {
          kind: 'retry',
          scope: 'entry',
          ambiguous: true,
          failure: failureWith('remote/protocol', at, 'the remote gave an unknown outcome'),
        },
  );
}

/**
 * Without the values of applied writes that carry another id than their entity: kept, such a value would be
 * found under one id and saved under another. The write was applied all the same.
 */
export function withOwnValues(
  outcomes: readonly Outcome[],
  entries: readonly EntryRecord[],
  rulesOf: RulesOf,
): readonly Outcome[] {
  return outcomes.map((outcome, index) => {
    const entry = entries[index];
    if (entry === undefined || outcome.kind !== 'applied' || outcome.value === undefined)
      return outcome;
    if (!hasOtherId(rulesOf(entry.collection), outcome.value, entry.entity)) return outcome;
    const { value: _, ...rest } = outcome;
    return rest;
  });
}

function isOutcome(value: unknown): value is Outcome {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, failure } = value as { kind?: unknown; failure?: unknown };
  if (!KINDS.has(kind)) return false;
  const needsFailure = kind !== 'applied' && kind !== 'conflict';
  return needsFailure ? typeof failure === 'object' && failure !== null : true;
}

/** Instants are whole milliseconds, and what is no time at all is no wish to wait. */
function withWholeWish(outcome: Outcome): Outcome {
  if (outcome.kind !== 'retry' || outcome.retryAfterMs === undefined) return outcome;
  const { retryAfterMs, ...rest } = outcome;
  const isTime = typeof retryAfterMs === 'number' && retryAfterMs >= 0;
  return isTime ? { ...rest, retryAfterMs: Math.ceil(retryAfterMs) } : rest;
}

/** A failure as it is stored: never longer than the limit. */
export function failureWith(code: string, at: number, detail?: string): SyncFailure {
  if (detail === undefined || detail === '') return { code, at };
  return { code, at, detail: detail.slice(0, MAX_FAILURE_DETAIL_LENGTH) };
}
