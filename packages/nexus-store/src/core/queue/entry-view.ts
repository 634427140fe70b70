import type { Entry, EntityId, EntryId, Operation } from '../model/entry.ts';
import { priorityOfRank, type PriorityRank } from '../model/priority.ts';
import { isReadable } from '../model/stored-text.ts';
import { decodeValue } from '../model/value-codec.ts';
import type { ClaimState } from './leases.ts';
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

/** Of a damaged payload nothing is left to show; lists and exports go on. */
function valueOf(payload: string): unknown {
  return isReadable(payload) ? decodeValue(payload) : null;
}

/** An entry as the app sees it. What nobody sends any more waits again, and may have been applied. */
export function entryView(
  record: EntryRecord,
  effective: PriorityRank,
  claim: ClaimState | undefined,
): Entry {
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
      return payload === null ? null : valueOf(payload);
    },
    schemaVersion: detail.schemaVersion ?? 1,
    priority: priorityOfRank(record.priority),
    effectivePriority: priorityOfRank(effective),
    state: record.state ?? (claim === 'held' ? 'claimed' : 'pending'),
    isAmbiguous: record.ambiguous === 1 || claim === 'over',
    attempts: record.attempts,
    notBefore: record.notBefore,
    group: detail.group ?? null,
    after: (detail.after ?? []).map(entryIdOf),
    enqueuedAt: record.enqueuedAt,
    expiresAt: record.expiresAt,
    lastFailure: detail.failure ?? null,
  };
}
