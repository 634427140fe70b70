import type { LeaseRecord, EntryRecord } from './records.ts';
import { positionsOf } from './leases.ts';
import { UNREAD, type Slot, type SlotTable } from './slots.ts';
import type { ChangedRow } from './unit-of-work.ts';

type Lane = Pick<EntryRecord, 'partition' | 'collection' | 'entity'>;

/**
 * The entities whose entries a transaction added, changed, removed, claimed or gave back, some perhaps more
 * than once; undefined if it cannot be told.
 */
export function touchedLanes(
  changed: Iterable<Slot>,
  slots: SlotTable,
): readonly ChangedRow[] | undefined {
  const lanes: ChangedRow[] = [];
  /** False if nobody has looked at the entry. */
  const add = ({ base, record }: Slot): boolean => {
    const known = record === undefined || record === UNREAD ? base : record;
    if (known === UNREAD) return false;
    const lane = known as unknown as Lane | undefined;
    if (lane !== undefined)
      lanes.push({ partition: lane.partition, collection: lane.collection, id: lane.entity });
    return true;
  };
  for (const slot of changed) {
    if (slot.record === slot.base) continue;
    if (slot.table === 'entries' && !add(slot)) return undefined;
    if (slot.table !== 'leases') continue;
    for (const position of claimedOrGivenBack(slot)) {
      const entry = slots.knownEntry(position);
      if (entry === undefined || !add(entry)) return undefined;
    }
  }
  return lanes;
}

/** A lease that is only prolonged changes nothing for its entries. */
function claimedOrGivenBack({ base, record }: Slot): Iterable<number> {
  const before = new Set(positionsIn(base));
  const after = positionsIn(record);
  const came = after.filter((position) => !before.delete(position));
  return [...before, ...came];
}

function positionsIn(record: Slot['record']): readonly number[] {
  if (record === undefined || record === UNREAD) return [];
  return positionsOf(record as unknown as LeaseRecord);
}
