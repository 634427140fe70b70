import type { Entry, EntityId, EntryId, Operation } from '../model/entry.ts';
import { priorityOfRank, type PriorityRank } from '../model/priority.ts';
import { decodeValue } from '../model/value-codec.ts';
import { SEQ_LIMIT } from './position.ts';
import { detailOf, type EntryRecord } from './records.ts';

export function entryIdOf(seq: number): EntryId {
  return `e${seq}`;
}

/** The seq of an entry id; null for anything that is not one. */
export function seqOfEntryId(id: EntryId): number | null {
  if (typeof id !== 'string' || !/^e[1-9]\d{0,12}$/.test(id)) return null;
  const seq = Number(id.slice(1));
  return seq < SEQ_LIMIT ? seq : null;
}

/** How events name an entry. */
export function nameOf(entry: EntryRecord): {
  entryId: EntryId;
  collection: string;
  entityId: EntityId;
} {
  return { entryId: entryIdOf(entry.seq), collection: entry.collection, entityId: entry.entity };
}

/** An entry as the app sees it. */
export function entryView(record: EntryRecord, effective: PriorityRank, isClaimed: boolean): Entry {
  const detail = detailOf(record);
  const payload = record.payload;
  return {
    id: entryIdOf(record.seq),
    seq: record.seq,
    idempotencyKey: record.idempotencyKey,
    collection: record.collection,
    entityId: record.entity,
    operation: record.operation as Operation,
    command: detail.command ?? null,
    isPatch: detail.isPatch === true,
    get payload(): unknown {
      return payload === null ? null : decodeValue(payload);
    },
    schemaVersion: detail.schemaVersion ?? 1,
    priority: priorityOfRank(record.priority),
    effectivePriority: priorityOfRank(effective),
    state: record.state ?? (isClaimed ? 'claimed' : 'pending'),
    isAmbiguous: record.ambiguous === 1,
    attempts: record.attempts,
    notBefore: record.notBefore,
    group: detail.group ?? null,
    after: (detail.after ?? []).map(entryIdOf),
    enqueuedAt: record.enqueuedAt,
    expiresAt: record.expiresAt,
    lastFailure: detail.failure ?? null,
  };
}
