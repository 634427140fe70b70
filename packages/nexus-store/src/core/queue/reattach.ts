import type { RulesOf } from './collection-rules.ts';
import { appendMutation, enqueueMutation } from './enqueue.ts';
import type { QueueLimits } from './limits.ts';
import { findEntry, rowOf } from './lookup.ts';
import type { NewMutation } from './mutation.ts';
import { detailOf, type EntryDetail, type EntryRecord } from './records.ts';
import { removeEntries } from './removal.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/**
 * A dead letter that left its lane comes back at the lane's end, as a mutation made now. It keeps its
 * seq, and so its id, unless newer mutations of the entity wait.
 *
 * @returns the seq it has now
 */
export async function reattach(
  uow: UnitOfWork,
  entry: EntryRecord,
  newKey: () => string,
  limits: QueueLimits,
  rulesOf: RulesOf,
): Promise<number | null> {
  await removeEntries(uow, [entry]);
  const mutation = mutationOf(entry, newKey);
  const rules = { ...rulesOf(entry.collection), coalesce: false };
  // It was in the queue all the time: there is room for it.
  const room = { ...limits, maxEntries: Infinity, maxBytes: Infinity };
  const row = await rowOf(uow, entry);
  const isLatest = entry.seq > (row?.tail ?? 0);
  const { seq } = isLatest
    ? await appendMutation(uow, row, mutation, rules, entry.seq)
    : await enqueueMutation(uow, mutation, rules, room);
  const again = seq === null ? undefined : await findEntry(uow, entry.partition, seq);
  // What the server may have applied is still frozen, and keeps its key.
  if (again !== undefined && entry.ambiguous === 1) uow.putEntry({ ...again, ambiguous: 1 });
  return seq;
}

function mutationOf(entry: EntryRecord, newKey: () => string): NewMutation {
  const { partition, collection, entity, operation, payload, priority, enqueuedAt } = entry;
  const { isPatch, command, schemaVersion, followed } = detailOf(entry);
  const detail: EntryDetail = {
    ...(isPatch === undefined ? {} : { isPatch }),
    ...(command === undefined ? {} : { command }),
    ...(schemaVersion === undefined ? {} : { schemaVersion }),
  };
  return {
    partition,
    collection,
    entity,
    operation,
    payload,
    priority,
    enqueuedAt,
    // The server may have kept its refusal under the old key. One whose fate is unknown keeps it.
    idempotencyKey: entry.ambiguous === 1 ? entry.idempotencyKey : newKey(),
    expiresAt: null,
    ...(followed === undefined ? {} : { after: followed }),
    ...(Object.keys(detail).length === 0 ? {} : { detail }),
  };
}
