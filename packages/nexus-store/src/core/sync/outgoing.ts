import type { Operation } from '../model/entry.ts';
import { decodeValue, wireJson } from '../model/value-codec.ts';
import type { OutgoingEntry } from '../ports/remote.ts';
import { entryIdOf } from '../queue/entry-view.ts';
import { detailOf, laneKey, type EntryRecord, type Pin, type RowRecord } from '../queue/records.ts';

/** An entry as it is sent. The base is where the row stands, unless a pull has moved it since. */
export function outgoing(entry: EntryRecord, row: RowRecord | undefined): OutgoingEntry {
  const detail = detailOf(entry);
  const payload = entry.payload;
  return {
    id: entryIdOf(entry.seq),
    idempotencyKey: entry.idempotencyKey,
    collection: entry.collection,
    entityId: entry.entity,
    operation: entry.operation as Operation,
    command: detail.command ?? null,
    isPatch: detail.isPatch === true,
    baseVersion: baseVersionOf(detail.pinned, row),
    payloadJson: payload === null ? null : wireJson(payload),
    get payload(): unknown {
      return payload === null ? null : decodeValue(payload);
    },
    schemaVersion: detail.schemaVersion ?? 1,
    group: detail.group ?? null,
    attempts: entry.attempts,
  };
}

/** Made on what this device alone had: where the server has the entity, the two are in conflict. */
const NEVER_THERE = '';

function baseVersionOf(pinned: Pin | undefined, row: RowRecord | undefined): string | null {
  const version = row?.version ?? null;
  if (pinned === undefined) return version;
  // A row without a version is of a server that has none: there is nothing to compare.
  const hasVersions = version !== null || (row?.shadow ?? null) === null;
  return pinned.version ?? (hasVersions ? NEVER_THERE : null);
}

/**
 * A batch as it is sent. Of several entries of one entity, which only a transaction has, the first
 * carries the base: what follows is made on what the one before it makes, a version nobody knows yet.
 */
export function outgoingBatch(
  entries: readonly EntryRecord[],
  rows: ReadonlyMap<number, RowRecord>,
): OutgoingEntry[] {
  const seen = new Set<string>();
  return entries.map((entry) => {
    const sent = outgoing(entry, rows.get(entry.seq));
    const lane = laneKey(entry.partition, entry.collection, entry.entity);
    const isFollower = seen.has(lane);
    seen.add(lane);
    return isFollower ? withoutBase(sent) : sent;
  });
}

function withoutBase(entry: OutgoingEntry): OutgoingEntry {
  return {
    ...entry,
    baseVersion: null,
    get payload(): unknown {
      return entry.payload;
    },
  };
}
