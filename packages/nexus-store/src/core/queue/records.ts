import type { EntityId } from '../model/entry.ts';
import type { SyncFailure } from '../model/outcome.ts';
import type { PriorityRank } from '../model/priority.ts';
import { isReadable, parsedObject } from '../model/stored-text.ts';

/** A record of the table `rows`. */
export interface RowRecord {
  readonly partition: number;
  readonly collection: string;
  readonly id: EntityId;
  readonly value: string | null;
  readonly shadow: string | null;
  readonly version: string | null;
  readonly head: number | null;
  readonly tail: number | null;
  readonly depth: number;
  readonly lane: string | null;
  readonly fetchedAt: number | null;
}

/** `item` is an entry of a `PrioritySyncQueue`: no entity, no lane. */
export type StoredOperation = 'create' | 'update' | 'delete' | 'command' | 'item';

/** A record of the table `entries`. */
export interface EntryRecord {
  readonly position: number;
  readonly seq: number;
  readonly partition: number;
  readonly collection: string;
  readonly entity: EntityId;
  readonly operation: StoredOperation;
  readonly payload: string | null;
  readonly priority: PriorityRank;
  readonly attempts: number;
  readonly idempotencyKey: string;
  readonly enqueuedAt: number;
  /** null: never sent. 0: sent, and definitely not applied. 1: sent, outcome unknown. */
  readonly ambiguous: 0 | 1 | null;
  readonly behind: string | null;
  readonly notBefore: number | null;
  readonly expiresAt: number | null;
  readonly state: 'dead' | 'conflict' | null;
  readonly detail: string | null;
}

/** The same without what it carries. */
export type EntryPlace = Omit<EntryRecord, 'payload'>;

/** A record of the table `leases`. */
export interface LeaseRecord {
  readonly fence: number;
  readonly partition: number;
  readonly owner: string;
  readonly until: number;
  readonly leaseMs: number;
  /** Positions, as JSON. */
  readonly positions: string;
}

/** The version and the value of a row that something was made on. */
export interface Pin {
  readonly version: string | null;
  readonly value: string | null;
  /**
   * It comes from an entry that left, or from what was seen: the row is as this one will meet it, so what it is
   * answered is newer.
   */
  readonly isInherited?: true;
  /** The value holds the effect of the entry itself, which a pull had brought. */
  readonly hasOwn?: true;
}

/** What the column `detail` holds. Every field is absent in the common case. */
export interface EntryDetail {
  /** The payload holds only the changed fields. */
  readonly isPatch?: boolean;
  readonly command?: string;
  readonly schemaVersion?: number;
  /** Names the transaction. */
  readonly group?: string;
  /** The seqs of all entries of the transaction; the first of them stands in the queue for all. */
  readonly members?: readonly number[];
  /** Who stands for the transaction, once the entry it is named after has left it. */
  readonly leader?: number;
  /** What it was declared to follow and is not settled, as seqs. Empty, not absent, at the end. */
  readonly after?: readonly number[];
  /** Someone waits for this entry beyond its lane. */
  readonly hasDependents?: boolean;
  /** The best priority of those who wait beyond its lane, and behind it in its lane. */
  readonly boost?: PriorityRank;
  /** The nearest earlier entry of the lane that has ties beyond the lane. */
  readonly previousLinked?: number;
  /** What it was made on, once the row has moved past it. */
  readonly pinned?: Pin;
  /** The last of its lane, behind others, and made before something that others have changed in the row since. */
  readonly isStale?: true;
  readonly failure?: SyncFailure;
  /** What the server had when it refused this entry as a conflict. */
  readonly conflict?: {
    readonly version: string | null;
    readonly value: string | null;
    readonly isTakenBack?: true;
  };
  /** How often a conflict of this entry was resolved. */
  readonly rounds?: number;
  /** A pull brought its effect before its acknowledgement came: the server's row holds it already. */
  readonly isEchoed?: boolean;
  /** What it waited for when it left its lane: it does again if it comes back. */
  readonly followed?: readonly number[];
  /** It left its lane when it was buried: nothing waits for it any more. */
  readonly isDetached?: boolean;
  /** Of one that left its lane: what it was made on. */
  readonly madeOn?: Pin;
  /** What it takes to put it back where it stood, should its burial prove to be the endpoint's fault. */
  readonly left?: LaneLeft;
  /**
   * It left its lane with an unknown fate and came back: whether it took effect now or then, before newer
   * writes, only a pull can tell.
   */
  readonly isRevived?: boolean;
  /** Its details or its payload could not be read: it is never sent. */
  readonly isDamaged?: boolean;
  /** Its requests fail as if there were no way to the server. */
  readonly suspicion?: Suspicion;
}

/**
 * What is held against an entry whose requests fail as if there were no way to the server. It goes in requests
 * of its own until the server answers one of them.
 */
export interface Suspicion {
  /** Requests in a row that failed while they carried nothing else. */
  readonly failures: number;
  /** One of them failed although requests of others worked before it: the fault is its own. */
  readonly isProven?: true;
  /** What speaks against it, in parts of an attempt: see `outcome-policy.ts`. */
  readonly blame?: number;
}

/** How an entry left its lane. Absent for those that had ties or a base of their own. */
export interface LaneLeft {
  /** The seq of the entry whose burial took it along; its own if it was buried itself. */
  readonly cause: number;
  /** The version of its row then. */
  readonly version: string | null;
  readonly expiresAt: number | null;
}

/** What the column `lane` of a row holds, for lanes of more than one entry or with ties beyond. */
export interface LaneDetail {
  /** How many entries of the lane want each priority. */
  readonly wants: readonly [number, number, number, number];
  /** The last entry of the lane with ties beyond it. */
  readonly lastLinked?: number;
}

const NO_DETAIL: EntryDetail = Object.freeze({});
/** Who waits for it is not known any more, so it is looked up. */
const DAMAGED_DETAIL: EntryDetail = Object.freeze({ isDamaged: true, hasDependents: true });

/** Never throws: an entry whose details are damaged says so in them. */
export function detailOf(entry: Pick<EntryRecord, 'detail'>): EntryDetail {
  return entry.detail === null ? NO_DETAIL : (parsedObject(entry.detail) ?? DAMAGED_DETAIL);
}

/** True if the entry cannot be sent as it was made. */
export function isDamaged(entry: EntryRecord): boolean {
  if (entry.detail !== null && detailOf(entry).isDamaged === true) return true;
  return entry.payload !== null && !isReadable(entry.payload);
}

/** The entry without the payload that it cannot have back. */
export function withoutPayload(entry: EntryRecord): EntryRecord {
  return withDetail({ ...entry, payload: null }, { isDamaged: true });
}

/** The entry with some details changed; a field set to undefined is taken away. */
export function withDetail(
  entry: EntryRecord,
  change: { readonly [K in keyof EntryDetail]?: EntryDetail[K] | undefined },
): EntryRecord {
  const text = JSON.stringify({ ...detailOf(entry), ...change });
  const detail = text === '{}' ? null : text;
  return detail === entry.detail ? entry : { ...entry, detail };
}

/** Null where the lane needs none, and where it is damaged: see `laneOf`. */
export function laneDetailOf(row: RowRecord): LaneDetail | null {
  if (row.lane === null) return null;
  const lane = parsedObject(row.lane) as Partial<LaneDetail> | undefined;
  return Array.isArray(lane?.wants) ? (lane as LaneDetail) : null;
}

/** Names the row of an entry. */
export function rowKey({ partition, collection, entity }: EntryRecord): {
  partition: number;
  collection: string;
  id: EntityId;
} {
  return { partition, collection, id: entity };
}

/** The lane of an entity as text, in which the entries that wait behind others are indexed. */
export function laneKey(partition: number, collection: string, id: EntityId): string {
  return `${partition}/${collection}/${typeof id === 'number' ? '#' : '$'}${id}`;
}

/**
 * The key under which a dead letter is sent again. A server may have kept its refusal under the old one;
 * one whose fate is unknown, or that never left this device, keeps it.
 */
export function keyAgain(entry: EntryRecord, newKey: () => string): string {
  return entry.ambiguous === 0 ? newKey() : entry.idempotencyKey;
}

/** What an entry costs against `maxBytes`: its payload and about what its columns take. */
export function entryBytes(payload: string | null): number {
  return (payload?.length ?? 0) + 100;
}

export function emptyRow(partition: number, collection: string, id: EntityId): RowRecord {
  return {
    partition,
    collection,
    id,
    value: null,
    shadow: null,
    version: null,
    head: null,
    tail: null,
    depth: 0,
    lane: null,
    fetchedAt: null,
  };
}
