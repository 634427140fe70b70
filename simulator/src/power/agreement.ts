import { createVirtualRuntime } from 'nexus-store/testing';
import { History } from '../checkers/history.ts';
import { NaiveQueue } from '../checkers/naive-queue.ts';
import { checkRecords } from '../checkers/records-agree.ts';
import { Disk, type Change } from '../world/disk.ts';
import type { EntryOnDisk, RowOnDisk } from '../world/records.ts';
import type { Dump } from './dump.ts';

/**
 * What is wrong in the records of a database by themselves: counters, lanes, places, local values, and
 * entries without a payload that have no row to take it from.
 */
export function disagreements(dump: Dump): readonly string[] {
  const found: string[] = [];
  const fail = (rule: string, message: string): void => void found.push(`${rule}: ${message}`);
  const rows = (dump.get('rows') ?? []) as unknown as readonly RowOnDisk[];
  for (const entry of (dump.get('entries') ?? []) as unknown as readonly EntryOnDisk[]) {
    if (entry.payload !== '') continue;
    const row = rows.find(
      ({ partition, collection, id }) =>
        partition === entry.partition && collection === entry.collection && id === entry.entity,
    );
    const hasIt = row?.depth === 1 && row.head === entry.seq && row.value !== null;
    if (!hasIt) fail('payload', `e${entry.seq} has its payload in no row`);
  }
  const disk = new Disk(
    { storage: 'memory', isRelaxed: false, checkpointPages: undefined },
    createVirtualRuntime(1),
  );
  const history = new History();
  const changes = [...dump].flatMap(([table, records]) =>
    records.map((put): Change => ({ table, put })),
  );
  const commit = disk.commit(changes);
  for (const entry of disk.entries.values()) history.record(entry, 1);
  checkRecords({ disk, history, fail }, new NaiveQueue(disk, history), commit);
  return found;
}
