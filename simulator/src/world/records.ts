/**
 * The simulator's own reading of what is on disk (`docs/internals/queue.md`), so that a mistake in the
 * code that writes a record is not repeated by the code that checks it.
 */
export interface EntryOnDisk {
  readonly position: number;
  readonly seq: number;
  readonly partition: number;
  readonly collection: string;
  readonly entity: string;
  readonly operation: 'create' | 'update' | 'delete' | 'command';
  readonly payload: string | null;
  readonly priority: number;
  readonly attempts: number;
  readonly idempotencyKey: string;
  readonly enqueuedAt: number;
  readonly ambiguous: number | null;
  readonly behind: string | null;
  readonly notBefore: number | null;
  readonly expiresAt: number | null;
  readonly state: 'dead' | 'conflict' | null;
  readonly detail: string | null;
}

export interface RowOnDisk {
  readonly partition: number;
  readonly collection: string;
  readonly id: string;
  readonly value: string | null;
  readonly shadow: string | null;
  readonly version: string | null;
  readonly head: number | null;
  readonly tail: number | null;
  readonly depth: number;
  readonly lane: string | null;
}

export interface LeaseOnDisk {
  readonly fence: number;
  readonly partition: number;
  readonly owner: string;
  readonly until: number;
  readonly leaseMs: number;
  readonly positions: string;
}

export interface DepartureOnDisk {
  readonly seq: number;
  readonly outcome: 'cancelled' | 'vanished' | 'superseded' | 'moved';
  /** Where it moved, as a seq. */
  readonly to: number | null;
}

export interface DetailOnDisk {
  readonly isPatch?: boolean;
  readonly command?: string;
  readonly group?: string;
  readonly after?: readonly number[];
  readonly isEchoed?: boolean;
  readonly isDetached?: boolean;
  /** What it was made on, once the row has moved past it. */
  readonly pinned?: {
    readonly version: string | null;
    readonly value: string | null;
    /** Handed on by an entry that left. */
    readonly isInherited?: true;
  };
  readonly failure?: { readonly code: string; readonly status?: number };
  /** Its requests fail as if there were no way to the server. */
  readonly suspicion?: { readonly failures: number; readonly isProven?: true };
  /** How often a conflict of it was decided. */
  readonly rounds?: number;
}

export interface GateOnDisk {
  readonly failures: number;
  readonly until: number | null;
  readonly retryAfterUntil: number | null;
  readonly setAt: number | null;
  readonly isUpgradeRequired: boolean;
  /** Partitions whose user's credentials were refused. */
  readonly unauthorised: readonly number[];
  /** Nobody knows whether the endpoint works. */
  readonly isDoubtful?: boolean;
}

export interface CountersOnDisk {
  readonly pending: readonly number[];
  readonly dead: number;
  readonly conflicts: number;
  readonly bytes: number;
}

const NO_DETAIL: DetailOnDisk = {};
const details = new WeakMap<object, DetailOnDisk>();

export function detailOf(entry: EntryOnDisk): DetailOnDisk {
  if (entry.detail === null) return NO_DETAIL;
  let detail = details.get(entry);
  if (detail === undefined) {
    detail = JSON.parse(entry.detail) as DetailOnDisk;
    details.set(entry, detail);
  }
  return detail;
}

/** The value of a text in the database. The simulator writes plain JSON only. */
export function decode(text: string): unknown {
  return JSON.parse(text);
}

export const PARKED_FROM = 2 ** 52;

export function isReadyPosition(position: number): boolean {
  return position < PARKED_FROM;
}

/** The effective priority that a ready position stands for. */
export function rankOfPosition(position: number): number {
  return Math.floor(position / 2 ** 40) % 4;
}

export function seqOfPosition(position: number): number {
  return position % 2 ** 40;
}

export function laneOf(entry: EntryOnDisk): string {
  return laneName(entry.partition, entry.collection, entry.entity);
}

export function laneName(partition: number, collection: string, id: string): string {
  return `${partition}/${collection}/${id}`;
}

const KEYS: Readonly<Record<string, readonly string[]>> = {
  meta: ['name'],
  rows: ['partition', 'collection', 'id'],
  fields: ['partition', 'collection', 'field', 'value', 'id'],
  entries: ['position'],
  dependencies: ['prerequisite', 'dependent'],
  leases: ['fence'],
  departures: ['seq'],
  journal: ['id'],
};

/** The primary key of a record, as text. */
export function keyOfRecord(table: string, record: Readonly<Record<string, unknown>>): string {
  return (KEYS[table] ?? []).map((column) => String(record[column])).join('|');
}
