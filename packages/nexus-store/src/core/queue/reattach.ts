import type { RulesOf } from './collection-rules.ts';
import { noteDeparture } from './departures.ts';
import { appendMutation, enqueueMutation } from './enqueue.ts';
import type { QueueLimits } from './limits.ts';
import { findEntry, rowOf } from './lookup.ts';
import type { NewMutation } from './mutation.ts';
import { pinAgain } from './pins.ts';
import { detailOf, keyAgain, withDetail, type EntryDetail, type EntryRecord } from './records.ts';
import { removeEntries } from './removal.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/**
 * A dead letter that left its lane comes back at the lane's end, as a mutation made now on what it was made on
 * then: what others did since is a conflict. It keeps its seq, and so its id, unless newer mutations of the
 * entity wait.
 *
 * One whose fate is unknown is sent under its old key, and the answer does not say whether it took effect
 * now or long ago, before newer writes of the entity: only a pull can tell what the server has since.
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
  if (seq === null) return null;
  const placed = await findEntry(uow, entry.partition, seq);
  if (placed !== undefined) {
    // What the server may have applied is still frozen, and keeps its key.
    const again =
      entry.ambiguous === 1 ? withDetail({ ...placed, ambiguous: 1 }, { isRevived: true }) : placed;
    uow.putEntry(again);
    await pinAgain(uow, again, detailOf(entry).madeOn);
  }
  if (seq !== entry.seq) await noteDeparture(uow, entry.seq, { outcome: 'moved', to: seq });
  return seq;
}

function mutationOf(entry: EntryRecord, newKey: () => string): NewMutation {
  const { partition, collection, entity, operation, payload, priority, enqueuedAt } = entry;
  const { isPatch, command, schemaVersion, followed, isDamaged } = detailOf(entry);
  const detail: EntryDetail = {
    ...(isPatch === undefined ? {} : { isPatch }),
    ...(command === undefined ? {} : { command }),
    ...(schemaVersion === undefined ? {} : { schemaVersion }),
    ...(isDamaged === undefined ? {} : { isDamaged }),
  };
  return {
    partition,
    collection,
    entity,
    operation,
    payload,
    priority,
    enqueuedAt,
    idempotencyKey: keyAgain(entry, newKey),
    expiresAt: null,
    ...(followed === undefined ? {} : { after: followed }),
    ...(Object.keys(detail).length === 0 ? {} : { detail }),
  };
}
