import { listEntries } from '../queue/claim.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';

const CHUNK = 400;

/** Deletes some of what a user has here. False once nothing is left. */
export async function erasePartition(uow: UnitOfWork, partition: number): Promise<boolean> {
  for (const lease of (await uow.leases()).values()) {
    if (lease.partition === partition) await uow.deleteLease(lease.fence);
  }
  const entries = await listEntries(uow, partition, CHUNK);
  for (const entry of entries) uow.deleteEntry(entry);
  const rows = await uow.scan('rows', { prefix: [partition], limit: CHUNK });
  for (const row of rows)
    uow.delete('rows', [partition, row['collection'] as string, row['id'] as string | number]);
  const fields = await uow.scan('fields', { prefix: [partition], limit: CHUNK });
  for (const { collection, field, value, id } of fields) {
    uow.delete('fields', [
      partition,
      collection as string,
      field as string,
      value as string,
      id as string,
    ]);
  }
  const cursors = await uow.scan('meta', {
    from: [`cursor:${partition}:`],
    to: [`cursor:${partition};`],
    limit: CHUNK,
  });
  for (const { name } of cursors) uow.delete('meta', [name as string]);
  uow.setCounters(partition, { pending: [0, 0, 0, 0], dead: 0, conflicts: 0, bytes: 0 });
  return entries.length + rows.length + fields.length + cursors.length > 0;
}
