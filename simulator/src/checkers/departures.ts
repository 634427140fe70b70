import type { Commit } from '../world/disk.ts';
import type { CollectionName } from '../plan/operations.ts';
import { COLLECTIONS } from '../world/collections.ts';
import { decode, detailOf, laneOf, type EntryOnDisk } from '../world/records.ts';
import { canonical, name } from './records-agree.ts';
import type { Scene } from './scene.ts';

/** What the app has asked for and may explain that an entry leaves the queue. */
export interface Wishes {
  /** Someone cancels or discards entries in this context right now. */
  readonly mayRemove: boolean;
  /** Someone writes a delete in this context right now: it may meet a create that was never sent. */
  readonly mayVanish: boolean;
  /** A user's part of the database is being erased, or a dead letter put back at its lane's end. */
  readonly mayErase: boolean;
}

/**
 * An entry leaves the queue on a recognised acknowledgement, on somebody's explicit wish, or when a
 * conflict was decided against it. Anything else loses a write.
 */
export function checkDepartures(scene: Scene, commit: Commit, wishes: Wishes): void {
  const { history, disk } = scene;
  const present = new Set<number>();
  for (const { after } of commit.entries) {
    if (after === undefined) continue;
    present.add(after.seq);
    history.record(after, disk.commits);
    if (
      detailOf(after).isDetached === true &&
      COLLECTIONS[after.collection as CollectionName].onRejected === 'skip'
    )
      history.skipped.add(laneOf(after));
  }
  for (const { before } of commit.entries) {
    if (before === undefined || present.has(before.seq)) continue;
    const life = history.lives.get(before.seq);
    if (life !== undefined) life.isGone = true;
    if (life !== undefined && wishes.mayErase) life.isErased = true;
    if (isAcknowledged(scene, before)) continue;
    if (history.conflicted.has(before.idempotencyKey)) continue;
    if (wishes.mayErase || wishes.mayRemove) continue;
    if (wishes.mayVanish && before.operation === 'create' && before.ambiguous !== 1) continue;
    scene.fail('lost', `${name(before)} ${before.payload} left the queue and no server has it`);
  }
}

function isAcknowledged({ server, disk, history, fail }: Scene, entry: EntryOnDisk): boolean {
  const principal = disk.partitions.get(entry.partition) ?? 'nobody';
  const applied = server.applied(principal, entry.idempotencyKey);
  if (applied === undefined) return false;
  const sent = entry.operation === 'delete' ? null : entry.payload;
  const payload = applied.operation.operation === 'delete' ? null : applied.operation.payload;
  const own = sent === null ? null : decode(sent);
  const isForgotten = history.lives.get(entry.seq)?.wasForgotten === true;
  if (!isForgotten && canonical(own) !== canonical(payload)) {
    fail(
      'lost',
      `${name(entry)} left the queue with ${sent}; the server has ${canonical(payload)} under its key`,
    );
  }
  return true;
}
