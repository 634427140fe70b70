import type { Operation } from '../model/entry.ts';
import { decodeValue, encodeValue } from '../model/value-codec.ts';
import type { Claim } from '../queue/claim.ts';
import { entryBytes, detailOf, withDetail, type EntryRecord } from '../queue/records.ts';
import type { Settlement } from '../queue/settle.ts';
import type { SyncContext } from './sync-context.ts';

/**
 * Carries payloads that an older version of the app queued to today's schema, before they are sent,
 * and stores them so. One that fails is buried where it can be read. One whose fate is unknown is
 * sent as it was: its key stands for that payload.
 */
export async function migrateEntries(
  context: SyncContext,
  claim: Claim,
): Promise<{ entries: readonly EntryRecord[]; failed: ReadonlyMap<number, Settlement> }> {
  const failed = new Map<number, Settlement>();
  const changed: EntryRecord[] = [];
  const entries: EntryRecord[] = [];
  for (const entry of claim.entries) {
    const target = context.collection(entry.collection);
    const from = detailOf(entry).schemaVersion ?? 1;
    const isOld = target?.migrate !== undefined && from < target.schemaVersion;
    if (!isOld || entry.payload === null || entry.ambiguous === 1) {
      entries.push(entry);
      continue;
    }
    try {
      const migrated = await migrateEntry(context, entry, from);
      changed.push(migrated);
      entries.push(migrated);
    } catch (error) {
      const at = context.runtime.clock.now();
      const failure = { code: 'store/migration-failed', detail: String(error).slice(0, 1024), at };
      failed.set(entry.seq, { kind: 'bury', failure, consumesAttempt: false });
    }
  }
  if (changed.length > 0) await storeMigrated(context, claim, changed);
  return { entries, failed };
}

async function migrateEntry(
  context: SyncContext,
  entry: EntryRecord,
  from: number,
): Promise<EntryRecord> {
  const target = context.collection(entry.collection);
  const detail = detailOf(entry);
  const payload: unknown = await target?.migrate?.({
    id: entry.entity,
    operation: entry.operation as Operation,
    command: detail.command ?? null,
    isPatch: detail.isPatch === true,
    payload: decodeValue(entry.payload as string),
    schemaVersion: from,
  });
  const key = entry.ambiguous === null ? entry.idempotencyKey : context.runtime.ids.uuid();
  return withDetail(
    { ...entry, payload: encodeValue(payload), idempotencyKey: key },
    { schemaVersion: target?.schemaVersion },
  );
}

async function storeMigrated(
  context: SyncContext,
  claim: Claim,
  changed: readonly EntryRecord[],
): Promise<void> {
  await context.writer.write(async (uow) => {
    if (!(await uow.leases()).has(claim.fence)) return;
    for (const entry of changed) {
      const stored = await uow.entryAt(entry.position);
      if (stored === undefined || stored.seq !== entry.seq) continue;
      uow.countEntry(entry.partition, entry.priority, entryBytes(stored.payload), -1);
      uow.countEntry(entry.partition, entry.priority, entryBytes(entry.payload), 1);
      uow.putEntry(entry);
    }
  });
}
