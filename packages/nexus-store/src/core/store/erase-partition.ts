import type { KeyPart } from '../ports/storage.ts';
import { forgetAcknowledgements } from '../queue/acknowledgements.ts';
import { listEntries } from '../queue/claim.ts';
import { noteDeparture } from '../queue/departures.ts';
import { freePartition, isBeingErased } from '../queue/partitions.ts';
import { NO_COUNTERS } from '../queue/queue-state.ts';
import { detailOf, type EntryRecord } from '../queue/records.ts';
import { discount } from '../queue/removal.ts';
import { forgetUndecided } from '../queue/undecided.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import { forgetWaits } from '../queue/waits.ts';
import { pullStateNames } from '../sync/pull-state.ts';
import { forgetSynced } from '../sync/synced-at.ts';

/**
 * Deletes at most `limit` records of a partition that was taken from its user. Several contexts may be at
 * it at once. False once nothing is left, and the number is free.
 */
export async function erasePartition(
  uow: UnitOfWork,
  partition: number,
  limit: number,
): Promise<boolean> {
  if (!(await isBeingErased(uow, partition))) return false;
  // An older version of the app writes the record without it.
  uow.state.setClosed(partition, true);
  // Entries go first: as long as they are there, their rows may hold what they send.
  const isLeft =
    (await eraseEntries(uow, partition, limit)) ||
    (await eraseRows(uow, partition, limit)) ||
    (await eraseFields(uow, partition, limit)) ||
    (await eraseCursors(uow, partition, limit));
  if (isLeft) return true;
  await forgetAcknowledgements(uow, partition);
  forgetWaits(uow, partition);
  forgetSynced(uow, partition);
  forgetUndecided(uow, partition);
  uow.setCounters(partition, NO_COUNTERS);
  uow.state.forgetCollections(partition);
  await freePartition(uow, partition);
  return false;
}

async function eraseEntries(uow: UnitOfWork, partition: number, limit: number): Promise<boolean> {
  const entries = await listEntries(uow, partition, limit);
  for (const entry of entries) await eraseEntry(uow, entry);
  return entries.length > 0;
}

async function eraseEntry(uow: UnitOfWork, entry: EntryRecord): Promise<void> {
  uow.deleteEntry(entry);
  discount(uow, entry);
  await noteDeparture(uow, entry.seq, { outcome: 'cancelled' });
  if (entry.detail === null) return;
  for (const seq of detailOf(entry).after ?? []) uow.delete('dependencies', [seq, entry.seq]);
}

async function eraseRows(uow: UnitOfWork, partition: number, limit: number): Promise<boolean> {
  const rows = await uow.scan('rows', { prefix: [partition], limit });
  for (const row of rows)
    uow.delete('rows', [partition, row['collection'] as string, row['id'] as KeyPart]);
  return rows.length > 0;
}

async function eraseFields(uow: UnitOfWork, partition: number, limit: number): Promise<boolean> {
  const fields = await uow.scan('fields', { prefix: [partition], limit });
  for (const { collection, field, value, id } of fields) {
    const key = [partition, collection as string, field as string, value as KeyPart, id as KeyPart];
    uow.delete('fields', key);
  }
  return fields.length > 0;
}

async function eraseCursors(uow: UnitOfWork, partition: number, limit: number): Promise<boolean> {
  const { from, to } = pullStateNames(partition);
  const cursors = await uow.scan('meta', { from: [from], to: [to], limit });
  for (const { name } of cursors) uow.delete('meta', [name as string]);
  return cursors.length > 0;
}
