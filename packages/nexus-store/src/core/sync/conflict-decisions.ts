import { shown } from '../model/arguments.ts';
import type { EntityId } from '../model/entry.ts';
import { assert, UsageError } from '../model/errors.ts';
import type { SyncFailure } from '../model/outcome.ts';
import { isReadable } from '../model/stored-text.ts';
import { decodeValue, encodeValue } from '../model/value-codec.ts';
import { hasOtherId, type CollectionRules } from '../queue/collection-rules.ts';
import type { ConflictDecision, RemoteState } from '../queue/conflict.ts';
import { applyMutation } from '../queue/fold.ts';
import { findEntry } from '../queue/lanes.ts';
import { backoffDelayMs } from '../queue/backoff.ts';
import { baseOf } from '../queue/pins.ts';
import { detailOf, type EntryRecord, type RowRecord } from '../queue/records.ts';
import type { Settlement } from '../queue/settle.ts';
import { UNDECIDED } from '../queue/undecided.ts';
import { MAX_ROUNDS, resolve, type ConflictContext, type Resolution } from './conflict-strategy.ts';
import { failureWith } from './outcome-check.ts';
import type { ConflictCase } from './outcome-policy.ts';
import { limitedSignal, withPatience } from './patience.ts';
import type { SyncContext } from './sync-context.ts';

/** What conflicts are decided with, beyond the engine's context. */
export interface DecisionSetting {
  /** Aborts when the run ends. */
  readonly signal: AbortSignal;
  /** How long the claim protects the entries still. */
  readonly patienceMs: number;
  /** The version of each entity's row when the request left, by the entry's seq. */
  readonly versions: ReadonlyMap<number, string | null>;
  /** Pulls a collection. False if the server could not be asked. */
  readonly pull: (collection: string) => Promise<boolean>;
}

/** What is to become of one entry, and the row's version that this was decided on. */
export interface Decided {
  readonly settlement: Settlement;
  readonly rowVersion: string | null;
}

interface Sides {
  readonly entry: EntryRecord;
  readonly row: RowRecord | undefined;
  /** null: the server has it, but nobody knows what. */
  readonly remote: RemoteState | null;
}

/**
 * Asks the collection's strategy about a conflict while the claim is still held. A handler that fails
 * or does not come back parks its lane; one that the end of the run cut off is asked again next time.
 */
export async function decideConflict(
  context: SyncContext,
  conflict: ConflictCase,
  setting: DecisionSetting,
): Promise<Decided> {
  const { entry, outcome } = conflict;
  let sides = await sidesOf(context, conflict, setting);
  if (context.strategyOf(entry.collection) === undefined)
    return undecided(context, sides, outcome.failure);
  if (sides.remote === null && (await setting.pull(entry.collection)))
    sides = await sidesOf(context, conflict, setting);
  const rowVersion = sides.row?.version ?? null;
  if (setting.signal.aborted || (sides.remote === null && outcome.remote === undefined)) {
    return { settlement: later(context, entry, setting, outcome.failure), rowVersion };
  }
  const remote = sides.remote ?? { value: null, version: null };
  const answer = await ask(context, { ...sides, remote }, setting);
  const settlement =
    answer === 'cut-off'
      ? untouched(entry)
      : settlementOf(context, remote, answer, outcome.failure);
  return { settlement, rowVersion };
}

/** Nobody here knows how the app decides: it is left to a context that does. */
function undecided(
  { runtime }: SyncContext,
  { row, remote }: Sides,
  said: SyncFailure | undefined,
): Decided {
  const rowVersion = row?.version ?? null;
  const failure = failureOf(UNDECIDED, runtime.clock.now(), said);
  const known = remote ?? { value: row?.shadow ?? null, version: rowVersion };
  return { settlement: { kind: 'conflict', failure, remote: known }, rowVersion };
}

/**
 * The server's row is not known and cannot be fetched now: the entry is sent again later, as often as any
 * other that the server did not take.
 */
function later(
  { runtime, options }: SyncContext,
  entry: EntryRecord,
  setting: DecisionSetting,
  said: SyncFailure | undefined,
): Settlement {
  if (setting.signal.aborted) return untouched(entry);
  const failure = failureOf('store/conflict', runtime.clock.now(), said);
  if (entry.attempts + 1 >= options.maxAttempts)
    return { kind: 'bury', failure, consumesAttempt: true, ambiguous: 0 };
  const delayMs = backoffDelayMs(options.backoff, entry.attempts, () => runtime.random.float());
  return {
    kind: 'release',
    ambiguous: 0,
    notBefore: runtime.clock.now() + delayMs,
    consumesAttempt: true,
    failure,
  };
}

/** Our word for it, with what the server said. */
function failureOf(
  code: string,
  at: number,
  { status, detail }: Partial<SyncFailure> = {},
): SyncFailure {
  return { ...failureWith(code, at, detail), ...(status === undefined ? {} : { status }) };
}

function untouched(entry: EntryRecord): Settlement {
  const ambiguous = entry.ambiguous === 1 ? 1 : 0;
  return { kind: 'release', ambiguous, notBefore: null, consumesAttempt: false };
}

type Answer = { readonly resolution: Resolution<unknown>; readonly why: string };

function settlementOf(
  context: SyncContext,
  remote: RemoteState,
  { resolution, why }: Answer,
  said: SyncFailure | undefined,
): Settlement {
  const at = context.runtime.clock.now();
  if (resolution.use !== 'later')
    return { kind: 'resolve', ...decisionOf(context, remote, resolution) };
  return { kind: 'conflict', failure: failureOf(why, at, said), remote };
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

/** The entry and its row as they are now, and what the server has. */
async function sidesOf(
  { writer, rulesOf }: SyncContext,
  { entry, outcome }: ConflictCase,
  { versions }: DecisionSetting,
): Promise<Sides> {
  const { partition, collection, entity, seq } = entry;
  const { current, row } = await writer.read(async (uow) => ({
    current: await findEntry(uow, partition, seq),
    row: await uow.row(partition, collection, entity),
  }));
  const hasBeenPulled = (row?.version ?? null) !== versions.get(seq);
  // A pull since then is as new as the answer or newer, and does not come again.
  const remote = hasBeenPulled
    ? { value: row?.shadow ?? null, version: row?.version ?? null }
    : stateOf(outcome, entry, rulesOf(collection));
  const isFirst = row === undefined || row.head === seq;
  return {
    entry: current ?? entry,
    row,
    remote: remote === null || isFirst ? remote : { ...remote, isTakenBack: true },
  };
}

function stateOf(
  outcome: ConflictCase['outcome'],
  entry: EntryRecord,
  rules: CollectionRules,
): RemoteState | null {
  const { remote } = outcome;
  const version = outcome.version ?? null;
  if (remote === undefined) return null;
  if (remote === null) return { value: null, version };
  if (hasOtherId(rules, remote, entry.entity)) return null;
  try {
    return { value: encodeValue(remote), version };
  } catch {
    // A value that cannot be stored, as one of another id above, is as good as one that was not sent.
    return null;
  }
}

async function ask(
  context: SyncContext,
  sides: Sides & { readonly remote: RemoteState },
  { signal, patienceMs }: DecisionSetting,
): Promise<Answer | 'cut-off'> {
  const { runtime } = context;
  const { entry } = sides;
  if ((detailOf(entry).rounds ?? 0) >= MAX_ROUNDS)
    return { resolution: { use: 'later' }, why: 'store/conflict-rounds' };
  const limited = limitedSignal(runtime.timers, signal, patienceMs);
  const failed = (error: unknown): Answer => {
    const { collection } = entry;
    runtime.logger.log('error', 'a conflict handler failed', { collection, error: String(error) });
    return { resolution: { use: 'later' }, why: 'store/conflict-handler-failed' };
  };
  try {
    const asked = decide(context, sides, limited.signal);
    const late = (): Answer | 'cut-off' =>
      signal.aborted ? 'cut-off' : failed('it did not come back in time');
    return await withPatience<Answer | 'cut-off'>(
      runtime.timers,
      asked,
      limited.signal,
      () => 0,
      late,
    );
  } catch (error) {
    return failed(error);
  } finally {
    limited.release();
  }
}

async function decide(
  context: SyncContext,
  sides: Sides & { readonly remote: RemoteState },
  signal: AbortSignal,
): Promise<Answer> {
  const { entry } = sides;
  const strategy = context.strategyOf(entry.collection);
  assert(strategy !== undefined, 'what is not decided here is left to others');
  // What a command does is the server's to say: there are no fields of ours to merge.
  const isMerge = strategy === 'merge-fields' || typeof strategy === 'object';
  if (entry.operation === 'command' && isMerge)
    return { resolution: { use: 'later' }, why: 'store/conflict' };
  const resolution = await resolve<unknown>(strategy, conflictContext(context, sides, signal));
  const sound = checked(resolution);
  if (sound.use === 'merged')
    requireOwnId(context.rulesOf(entry.collection), sound.value, entry.entity);
  return { resolution: sound, why: 'store/conflict' };
}

/**
 * @throws UsageError `usage/invalid-argument` for a merged value with another id: it would be found under
 * one id and saved under another
 */
export function requireOwnId(rules: CollectionRules, value: unknown, id: EntityId): void {
  if (!hasOtherId(rules, value, id)) return;
  throw new UsageError('usage/invalid-argument', `the merged value gives ${shown(id)} another id`);
}

/** @throws TypeError for what is no resolution, or a value that cannot be stored */
function checked(resolution: Resolution<unknown>): Resolution<unknown> {
  switch (resolution?.use) {
    case 'merged':
      if (resolution.value === undefined) throw new TypeError('a merged value is missing');
      encodeValue(resolution.value);
      return resolution;
    case 'local':
    case 'remote':
    case 'later':
      return resolution;
    default:
      throw new TypeError('a conflict handler gives back { use: ... }');
  }
}

/** The three sides as values of their own. */
export function conflictContext(
  context: Pick<SyncContext, 'rulesOf' | 'isHeadless'>,
  { entry, row, remote }: Sides & { readonly remote: RemoteState },
  signal: AbortSignal,
): ConflictContext<unknown> {
  const base = baseOf(entry, row).value;
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

/** A damaged base is no base: the other sides are compared as if nothing were known. */
function valueOf(text: string | null): unknown {
  return text === null || !isReadable(text) ? null : decodeValue(text);
}
