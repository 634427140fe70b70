import type { EntityId, EntryId, Operation } from '../model/entry.ts';
import type { Outcome } from '../model/outcome.ts';

/**
 * The way to a server.
 *
 * Law:
 * - `push` resolves with exactly one outcome for each entry, in the order of the batch, and never
 *   rejects for what a network or a server does: those are outcomes. It may be called concurrently.
 * - An outcome says `applied` only on an acknowledgement that was recognised for what it is.
 * - Applying is idempotent by `idempotencyKey`; entries of one group are applied together or not at all.
 * - A remote that waits before it sends (for credentials, say) or sends more than one request for a call
 *   asks `context.maySend()` right before each. What it withholds is `retry` of the endpoint, `withheld`, and
 *   not ambiguous.
 * - When `context.signal` aborts, `push` settles soon, with ambiguous outcomes for what was under way.
 * - Credentials are attached at send time and are never part of an entry.
 * - `pull` resolves with one page, or rejects with a `RemoteError` (`remote/cursor-expired` asks for a
 *   full pull). A page's cursor covers exactly the page's rows: no row that commits later on the server
 *   is ever skipped by it.
 */
export interface Remote {
  readonly capabilities: RemoteCapabilities;
  push(batch: readonly OutgoingEntry[], context: RemoteContext): Promise<readonly Outcome[]>;
  pull(request: PullRequest, context: RemoteContext): Promise<PullPage>;
  /**
   * Calls `onHint` when the server says that something changed, until the signal aborts. The first call,
   * with null, says that the stream is open: what changed before it was heard by nobody.
   */
  listen(onHint: (collection: string | null) => void, context: RemoteContext): Promise<void>;
  close(): Promise<void>;
}

export interface RemoteCapabilities {
  readonly pull: boolean;
  /** The server can say that something changed. */
  readonly hints: boolean;
  /** The most entries that one push may carry. */
  readonly maxBatch: number;
}

export interface RemoteContext {
  readonly signal: AbortSignal;
  /**
   * False once nothing more may leave: the time is over, somebody else owns the entries, or the server has
   * just asked another request to wait. Says so even where `signal` cannot yet, in a process that stood
   * still and whose timers are overdue.
   */
  readonly maySend: () => boolean;
  /** Wall time now, epoch milliseconds, to judge dates in answers that lack one of their own. */
  readonly now: number;
  /** The stable id of the user whose entries these are; null if nobody signed in. */
  readonly principal: string | null;
}

/** One entry as it is sent. */
export interface OutgoingEntry {
  readonly id: EntryId;
  readonly idempotencyKey: string;
  readonly collection: string;
  readonly entityId: EntityId;
  readonly operation: Operation;
  readonly command: string | null;
  /** True if the payload holds only the changed fields. */
  readonly isPatch: boolean;
  /**
   * The version this mutation was made on; null if the server has not told us of one. The empty text if it was
   * made on what this device alone had, and the server has come by the entity in another way: no version at all,
   * so the two are in conflict.
   */
  readonly baseVersion: string | null;
  /** The payload as JSON text, ready to be put on the wire; null for a delete. */
  readonly payloadJson: string | null;
  /** The payload as a value, decoded on access. */
  readonly payload: unknown;
  readonly schemaVersion: number;
  /** Entries with the same group are applied together. */
  readonly group: string | null;
  /** Consumed attempts before this one. */
  readonly attempts: number;
}

export interface PullRequest {
  readonly collection: string;
  /** What the last page gave; null for everything. */
  readonly cursor: string | null;
  readonly limit: number;
}

export interface PulledRow {
  readonly id: EntityId;
  readonly version: string;
  /** The value; undefined for a tombstone. */
  readonly value: unknown;
  readonly isDeleted: boolean;
  /** The idempotency key of the mutation that made this version, so that an echo is recognised. */
  readonly operationId: string | null;
}

export interface PullPage {
  readonly rows: readonly PulledRow[];
  readonly cursor: string;
  readonly hasMore: boolean;
}
