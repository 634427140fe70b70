import type { Operation } from '../model/entry.ts';
import { decodeValue, encodeValue } from '../model/value-codec.ts';
import type { Claim } from '../queue/claim.ts';
import { settleRowOf } from '../queue/fold.ts';
import { detailOf, withDetail, type EntryRecord, type RowRecord } from '../queue/records.ts';
import { recountBytes } from '../queue/removal.ts';
import type { Settlement } from '../queue/settle.ts';
import { requireSound } from './migrated-payload.ts';
import { failureWith } from './outcome-check.ts';
import { limitedSignal, withPatience } from './patience.ts';
import type { SyncContext } from './sync-context.ts';

/** The longest that carrying one payload over may take. */
const PATIENCE_MS = 10_000;

/** The run ended in the middle: next time. */
const NOT_NOW: Settlement = {
  kind: 'release',
  ambiguous: null,
  notBefore: null,
  consumesAttempt: false,
};

/** What a claim looks like in today's schema, and what became of entries that could not be carried. */
export interface Migrated {
  readonly entries: readonly EntryRecord[];
  readonly settlements: Map<number, Settlement>;
}

/**
 * Carries payloads that an older version of the app queued to today's schema, before they are sent,
 * and stores them so. One that fails is buried where it can be read, with its transaction. One whose
 * fate is unknown is sent as it was: its key stands for that payload.
 */
export async function migrateEntries(
  context: SyncContext,
  claim: Claim,
  signal: AbortSignal,
): Promise<Migrated> {
  if (!claim.entries.some((entry) => isOld(context, entry)))
    return { entries: claim.entries, settlements: new Map() };
  const failed = new Map<number, Settlement>();
  const changed: EntryRecord[] = [];
  const entries: EntryRecord[] = [];
  for (const entry of claim.entries) {
    if (!isOld(context, entry)) {
      entries.push(entry);
      continue;
    }
    try {
      const migrated = await migrateEntry(context, entry, claim.rows.get(entry.seq), signal);
      changed.push(migrated);
      entries.push(migrated);
    } catch (error) {
      failed.set(entry.seq, signal.aborted ? NOT_NOW : failure(context, error));
    }
  }
  if (changed.length > 0) await storeMigrated(context, claim, changed);
  return {
    entries: entries.filter((entry) => !failWithMates(entry, claim, failed)),
    settlements: failed,
  };
}

/** A transaction goes whole or not at all: mates of a failed entry share its fate. */
function failWithMates(entry: EntryRecord, claim: Claim, failed: Map<number, Settlement>): boolean {
  const { group } = detailOf(entry);
  if (group === undefined) return false;
  const guilty = claim.entries.find(
    (mate) => failed.has(mate.seq) && detailOf(mate).group === group,
  );
  if (guilty === undefined) return false;
  failed.set(entry.seq, failed.get(guilty.seq) as Settlement);
  return true;
}

function isOld(context: SyncContext, entry: EntryRecord): boolean {
  if (entry.payload === null || entry.ambiguous === 1) return false;
  const target = context.collection(entry.collection);
  const from = detailOf(entry).schemaVersion ?? 1;
  return target?.migrate !== undefined && from < target.schemaVersion;
}

function failure(context: SyncContext, error: unknown): Settlement {
  const at = context.runtime.clock.now();
  const reason = failureWith('store/migration-failed', at, String(error));
  return { kind: 'bury', failure: reason, consumesAttempt: false };
}

async function migrateEntry(
  context: SyncContext,
  entry: EntryRecord,
  row: RowRecord | undefined,
  outer: AbortSignal,
): Promise<EntryRecord> {
  const { timers, ids } = context.runtime;
  const target = context.collection(entry.collection);
  const detail = detailOf(entry);
  const migrate = async (): Promise<unknown> =>
    target?.migrate?.({
      id: entry.entity,
      operation: entry.operation as Operation,
      command: detail.command ?? null,
      isPatch: detail.isPatch === true,
      payload: decodeValue(entry.payload as string),
      schemaVersion: detail.schemaVersion ?? 1,
    });
  const { signal, release } = limitedSignal(timers, outer, PATIENCE_MS);
  try {
    const payload = await withPatience(
      timers,
      migrate(),
      signal,
      () => 0,
      () => {
        throw new Error('migrate did not come back in time');
      },
    );
    const text = encodeValue(payload);
    requireSound(decodeValue(text), entry, row, context.rulesOf(entry.collection));
    const key = entry.ambiguous === null ? entry.idempotencyKey : ids.uuid();
    return withDetail(
      { ...entry, payload: text, idempotencyKey: key },
      { schemaVersion: target?.schemaVersion },
    );
  } finally {
    release();
  }
}

async function storeMigrated(
  { writer, rulesOf }: SyncContext,
  claim: Claim,
  changed: readonly EntryRecord[],
): Promise<void> {
  await writer.write(async (uow) => {
    if (!(await uow.leases()).has(claim.fence)) return;
    for (const entry of changed) {
      const stored = await uow.entryAt(entry.position);
      if (stored === undefined || stored.seq !== entry.seq) continue;
      recountBytes(uow, stored, entry.payload);
      // Of the rest of its details others may have written meanwhile.
      const { payload, idempotencyKey } = entry;
      const { schemaVersion } = detailOf(entry);
      uow.putEntry(withDetail({ ...stored, payload, idempotencyKey }, { schemaVersion }));
      // What the app sees is what will be sent.
      await settleRowOf(uow, entry, rulesOf(entry.collection));
    }
  });
}
