import type { KeyPart } from '../ports/storage.ts';
import { listEntries } from '../queue/claim.ts';
import { noteDeparture } from '../queue/departures.ts';
import { detailOf, type EntryRecord } from '../queue/records.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import { pullStateNames } from '../sync/pull-state.ts';

const CHUNK = 400;

/** Deletes some of what a user has here. False once nothing is left. */
export async function erasePartition(uow: UnitOfWork, partition: number): Promise<boolean> {
  for (const lease of (await uow.leases()).values()) {
    if (lease.partition === partition) await uow.deleteLease(lease.fence);
  }
  const entries = await listEntries(uow, partition, CHUNK);
  for (const entry of entries) await eraseEntry(uow, entry);
  const rows = await uow.scan('rows', { prefix: [partition], limit: CHUNK });
  for (const row of rows)
    uow.delete('rows', [partition, row['collection'] as string, row['id'] as KeyPart]);
  const fields = await uow.scan('fields', { prefix: [partition], limit: CHUNK });
  for (const { collection, field, value, id } of fields) {
    const key = [partition, collection as string, field as string, value as KeyPart, id as KeyPart];
    uow.delete('fields', key);
  }
  const names = pullStateNames(partition);
  const cursors = await uow.scan('meta', { from: [names.from], to: [names.to], limit: CHUNK });
  for (const { name } of cursors) uow.delete('meta', [name as string]);
  uow.setCounters(partition, { pending: [0, 0, 0, 0], dead: 0, conflicts: 0, bytes: 0 });
  uow.state.forgetCollections(partition);
  return entries.length + rows.length + fields.length + cursors.length > 0;
}

async function eraseEntry(uow: UnitOfWork, entry: EntryRecord): Promise<void> {
  uow.deleteEntry(entry);
  await noteDeparture(uow, entry.seq, { outcome: 'cancelled' });
  if (entry.detail === null) return;
  for (const seq of detailOf(entry).after ?? []) uow.delete('dependencies', [seq, entry.seq]);
}
