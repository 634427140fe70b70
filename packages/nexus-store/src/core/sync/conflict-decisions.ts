import type { Outcome } from '../model/outcome.ts';
import { decodeValue, encodeValue } from '../model/value-codec.ts';
import type { ConflictDecision, RemoteState } from '../queue/conflict.ts';
import { applyMutation } from '../queue/fold.ts';
import { detailOf, type EntryRecord } from '../queue/records.ts';
import { MAX_ROUNDS, resolve, type ConflictContext, type Resolution } from './conflict-strategy.ts';
import type { Verdict } from './outcome-policy.ts';
import type { SyncContext } from './sync-context.ts';

type ConflictOutcome = Extract<Outcome, { kind: 'conflict' }>;

/**
 * Asks each collection's strategy about the conflicts of one request, while the claim is still held,
 * and adds what was decided to the settlements. A handler that fails parks its lane.
 */
export async function decideConflicts(
  context: SyncContext,
  verdict: Verdict,
  signal: AbortSignal,
): Promise<void> {
  for (const { entry, outcome } of verdict.conflicts) {
    const remote = remoteState(outcome);
    const resolution = await resolutionFor(context, entry, remote, signal);
    const at = context.runtime.clock.now();
    if (resolution.use === 'later') {
      const failure = outcome.failure ?? { code: 'store/conflict', at };
      verdict.settlements.set(entry.seq, { kind: 'conflict', failure, remote });
    } else {
      verdict.settlements.set(entry.seq, {
        kind: 'resolve',
        ...decisionOf(context, remote, resolution),
      });
    }
  }
}

export function decisionOf(
  context: Pick<SyncContext, 'runtime'>,
  remote: RemoteState,
  resolution: Exclude<Resolution<unknown>, { use: 'later' }>,
): ConflictDecision {
  const idempotencyKey = context.runtime.ids.uuid();
  if (resolution.use !== 'merged') return { remote, use: resolution.use, idempotencyKey };
  const merged = resolution.value === null ? null : encodeValue(resolution.value);
  return { remote, use: 'merged', merged, idempotencyKey };
}

function remoteState(outcome: ConflictOutcome): RemoteState {
  const value =
    outcome.remote === null || outcome.remote === undefined ? null : encodeValue(outcome.remote);
  return { value, version: outcome.version ?? null };
}

async function resolutionFor(
  context: SyncContext,
  entry: EntryRecord,
  remote: RemoteState,
  signal: AbortSignal,
): Promise<Resolution<unknown>> {
  const collection = context.collection(entry.collection);
  const isTooMuch = (detailOf(entry).rounds ?? 0) >= MAX_ROUNDS;
  if (isTooMuch || entry.operation === 'command') return { use: 'later' };
  try {
    const details = await conflictContext(context, entry, remote, signal);
    return await resolve<unknown>(collection?.conflict ?? 'merge-fields', details);
  } catch (error) {
    context.runtime.logger.log('error', 'a conflict handler failed', {
      collection: entry.collection,
      error: String(error),
    });
    return { use: 'later' };
  }
}

async function conflictContext(
  context: SyncContext,
  entry: EntryRecord,
  remote: RemoteState,
  signal: AbortSignal,
): Promise<ConflictContext<unknown>> {
  const row = await context.writer.read((uow) =>
    uow.row(entry.partition, entry.collection, entry.entity),
  );
  const { pinned } = detailOf(entry);
  const base = pinned === undefined ? (row?.shadow ?? null) : pinned.value;
  const local = applyMutation(base, entry, context.rulesOf(entry.collection));
  return {
    id: entry.entity,
    base: valueOf(base),
    local: valueOf(local),
    remote: valueOf(remote.value),
    headless: context.isHeadless,
    signal,
  };
}

function valueOf(text: string | null): unknown {
  return text === null ? null : decodeValue(text);
}
