import type { Operation } from '../model/entry.ts';
import { decodeValue, wireJson } from '../model/value-codec.ts';
import type { OutgoingEntry } from '../ports/remote.ts';
import { entryIdOf } from '../queue/entry-view.ts';
import { detailOf, type EntryRecord, type RowRecord } from '../queue/records.ts';

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
    baseVersion: detail.pinned === undefined ? (row?.version ?? null) : detail.pinned.version,
    payloadJson: payload === null ? null : wireJson(payload),
    get payload(): unknown {
      return payload === null ? null : decodeValue(payload);
    },
    schemaVersion: detail.schemaVersion ?? 1,
    group: detail.group ?? null,
    attempts: entry.attempts,
  };
}
