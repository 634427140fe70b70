import type { CollectionRules } from './collection-rules.ts';
import { noteDeparture } from './departures.ts';
import { nameOf } from './entry-view.ts';
import { applyMutation, settleNews, settleRowOf } from './fold.ts';
import { findEntry, laneEntries, rowOf } from './lookup.ts';
import { baseOf, markStale, pinFollower, unpinNext } from './pins.ts';
import { place } from './place.ts';
import { detailOf, keyAgain, withDetail, type EntryRecord, type RowRecord } from './records.ts';
import { recountBytes, removeEntries, setState } from './removal.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/** What the server has of an entity; value null: nothing. */
export interface RemoteState {
  readonly version: string | null;
  readonly value: string | null;
  /**
   * As the server showed it to a later write of one entity in a transaction: with what the earlier ones had
   * done, and this was taken back. Something to decide by, never the row.
   */
  readonly isTakenBack?: true;
}

/** How a conflict is to end. */
export interface ConflictDecision {
  readonly remote: RemoteState;
  /** Send ours again on top of theirs, give ours up, or send this value. */
  readonly use: 'local' | 'remote' | 'merged';
  /** The merged value as text; null to delete. */
  readonly merged?: string | null;
  /** A fresh key: the mutation that was refused must not stand for the new one. */
  readonly idempotencyKey: string;
}

/** Applies a decision: the server's row becomes the base, and the entry goes on or away. */
export async function rebaseEntry(
  uow: UnitOfWork,
  entry: EntryRecord,
  decision: ConflictDecision,
  rules: CollectionRules,
): Promise<void> {
  const row = await rowOf(uow, entry);
  if (row === undefined) return;
  const { remote } = decision;
  if (remote.isTakenBack !== true) {
    await pinFollower(uow, entry, row, rules, decision.use === 'remote');
    const moved = { ...row, shadow: remote.value, version: remote.version };
    uow.putRow(moved);
    if (row.tail !== entry.seq) await markStale(uow, moved);
  }
  if (decision.use === 'remote') {
    await removeEntries(uow, [entry]);
    await noteDeparture(uow, entry.seq, { outcome: 'superseded' });
  } else {
    if (decision.use === 'local') await unpinNext(uow, entry, remote.version);
    const next = rebased(entry, row, decision, rules);
    recountBytes(uow, entry, next.payload);
    await place(uow, setState(uow, next, null));
  }
  await settleRowOf(uow, entry, rules);
  uow.notify({ type: 'conflict-resolved', ...nameOf(entry), use: decision.use });
}

/** The entry as it is to be sent on top of what the server has. */
function rebased(
  entry: EntryRecord,
  row: RowRecord,
  decision: ConflictDecision,
  rules: CollectionRules,
): EntryRecord {
  const detail = detailOf(entry);
  const settled = withDetail(
    { ...entry, idempotencyKey: decision.idempotencyKey, ambiguous: 0, notBefore: null },
    {
      pinned: undefined,
      isStale: undefined,
      isEchoed: undefined,
      isRevived: undefined,
      conflict: undefined,
      rounds: (detail.rounds ?? 0) + 1,
    },
  );
  if (decision.use === 'merged') return withMerged(settled, decision);
  return sendable(settled, baseOf(entry, row).value, decision.remote, rules);
}

/** An entry as it can be sent to a server that has this, made on `base`. */
function sendable(
  entry: EntryRecord,
  base: string | null,
  remote: RemoteState,
  rules: CollectionRules,
): EntryRecord {
  const exists = remote.value !== null;
  if (entry.operation === 'create' && exists) return { ...entry, operation: 'update' };
  if (entry.operation !== 'update' || exists) return entry;
  // The server has nothing to lay a patch over: what the app sees is made anew, whole.
  const isPatch = detailOf(entry).isPatch === true;
  const payload = isPatch ? applyMutation(base, entry, rules) : entry.payload;
  return withDetail({ ...entry, operation: 'create', payload }, { isPatch: undefined });
}

function withMerged(entry: EntryRecord, decision: ConflictDecision): EntryRecord {
  const payload = decision.merged ?? null;
  const exists = decision.remote.value !== null;
  const operation = payload === null ? 'delete' : exists ? 'update' : 'create';
  return withDetail({ ...entry, operation, payload }, { isPatch: undefined, command: undefined });
}

/**
 * The server's row as a pull brought it, for an entity with entries waiting: it goes to the shadow,
 * and what waits is laid over it anew. The mutation that stands first keeps the base it was made on,
 * so that the server can still see the conflict.
 *
 * @param isEcho the row is the effect of the first waiting mutation itself
 */
export async function rebaseOnPull(
  uow: UnitOfWork,
  row: RowRecord,
  remote: RemoteState,
  isEcho: boolean,
  rules: CollectionRules,
): Promise<void> {
  const head = row.head === null ? undefined : await findEntry(uow, row.partition, row.head);
  if (head !== undefined && isEcho) {
    // It is on the server: nothing may be folded into it, and whatever is answered now, it is done.
    uow.putEntry(withDetail({ ...head, ambiguous: 1 }, { isEchoed: true }));
  } else if (head !== undefined) {
    const { isInherited: _, ...base } = baseOf(head, row);
    // Whoever decides a waiting conflict decides against what the server has now.
    const conflict = head.state === 'conflict' ? remote : detailOf(head).conflict;
    uow.putEntry(withDetail(head, { pinned: base, conflict }));
  }
  if (row.depth > 1) {
    await tellParked(uow, row, remote);
    if (!isEcho) await markStale(uow, row);
  }
  const moved = { ...row, shadow: remote.value, version: remote.version };
  uow.putRow(moved);
  await settleNews(uow, moved, rules);
}

/**
 * The server has taken a write of this device that did not go through the queue. What was queued meanwhile was
 * written after it, so it is sent on top of it, unless it is on its way already.
 */
export async function rebaseOnOwn(
  uow: UnitOfWork,
  row: RowRecord,
  remote: RemoteState,
  rules: CollectionRules,
  newKey: () => string,
): Promise<void> {
  const head = row.head === null ? undefined : await findEntry(uow, row.partition, row.head);
  if (head === undefined || head.state !== null || (await mayBeSent(uow, head)))
    return rebaseOnPull(uow, row, remote, false, rules);
  const moved = { ...row, shadow: remote.value, version: remote.version };
  uow.putRow(moved);
  const next = sendable(head, baseOf(head, row).value, remote, rules);
  if (next !== head) {
    recountBytes(uow, head, next.payload);
    // A server may have kept what it refused: the key stands for that.
    uow.putEntry({ ...next, idempotencyKey: keyAgain(head, newKey) });
  }
  await settleNews(uow, moved, rules);
}

async function mayBeSent(uow: UnitOfWork, { ambiguous, position }: EntryRecord): Promise<boolean> {
  return ambiguous === 1 || (await uow.leasedPositions()).has(position);
}

/** In a transaction with several writes of one entity a later one may be parked. */
async function tellParked(uow: UnitOfWork, row: RowRecord, remote: RemoteState): Promise<void> {
  for (const entry of await laneEntries(uow, row)) {
    if (entry.state === 'conflict' && entry.seq !== row.head)
      uow.putEntry(withDetail(entry, { conflict: remote }));
  }
}
