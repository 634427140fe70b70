import type { Outcome } from '../model/outcome.ts';
import type { Claim } from '../queue/claim.ts';
import { entryIdOf } from '../queue/entry-view.ts';
import { checkedOutcomes, unusable, withOwnValues } from './outcome-check.ts';
import { outgoingBatch } from './outgoing.ts';
import { limitedSignal, withPatience } from './patience.ts';
import type { RunWindow } from './run-window.ts';
import type { Principal, SyncContext } from './sync-context.ts';

/** What one request must keep to, asked at the last moment. */
export interface SendLimits {
  readonly mayBegin: () => boolean;
  /** How long the entries are still ours. */
  readonly leaseLeftMs: () => number;
}

/** What came of one request. */
export interface Sent {
  readonly outcomes: readonly Outcome[];
  /** The version of each entity's row that the entries were made on, by the entry's seq. */
  readonly versions: ReadonlyMap<number, string | null>;
  /** The remote came back by itself, so the time it took says something. */
  readonly isAnswered: boolean;
}

/**
 * Sends entries in one request. Never rejects for what the remote does, hangs or throws.
 *
 * @returns null if it may not begin any more: nothing was sent
 */
export async function sendBatch(
  context: SyncContext,
  principal: Principal,
  window: RunWindow,
  { entries, rows }: Pick<Claim, 'entries' | 'rows'>,
  { mayBegin, leaseLeftMs }: SendLimits,
): Promise<Sent | null> {
  const { runtime, options, emit } = context;
  if (!mayBegin()) return null;
  const versions = new Map(entries.map(({ seq }) => [seq, rows.get(seq)?.version ?? null]));
  emit({ type: 'push-started', entryIds: entries.map(({ seq }) => entryIdOf(seq)) });
  const timeoutMs = Math.min(options.requestTimeoutMs, window.leftMs, leaseLeftMs());
  const { signal, release } = limitedSignal(runtime.timers, window.signal, timeoutMs);
  try {
    const answer = push(context, principal, outgoingBatch(entries, rows), signal, mayBegin);
    const late = (): Outcome[] => unusable(entries.length, 'remote/timeout', runtime.clock.now());
    const answers = await withPatience(runtime.timers, answer, signal, () => window.graceMs, late);
    const outcomes = withOwnValues(answers, entries, context.rulesOf);
    return { outcomes, versions, isAnswered: !signal.aborted };
  } finally {
    release();
  }
}

async function push(
  { remote, runtime }: SyncContext,
  principal: Principal,
  batch: ReturnType<typeof outgoingBatch>,
  signal: AbortSignal,
  maySend: () => boolean,
): Promise<readonly Outcome[]> {
  const { clock, logger } = runtime;
  try {
    const answer: unknown = await remote.push(batch, {
      signal,
      maySend,
      now: clock.now(),
      principal: principal.id,
    });
    return checkedOutcomes(answer, batch.length, clock.now());
  } catch (error) {
    logger.log('error', 'the remote broke its law and threw', { error: String(error) });
    const detail = `the remote threw: ${String(error)}`;
    return unusable(batch.length, 'remote/protocol', clock.now(), detail);
  }
}
