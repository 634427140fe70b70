import type { Commit } from '../world/disk.ts';
import type { CollectionName } from '../plan/operations.ts';
import { COLLECTIONS } from '../world/collections.ts';
import {
  decode,
  detailOf,
  laneOf,
  type DepartureOnDisk,
  type EntryOnDisk,
} from '../world/records.ts';
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
  /** Someone writes this entity in this context right now: it may be in the same commit. */
  readonly isWritten: (collection: string, id: EntryOnDisk['entity']) => boolean;
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
    history.record(after, disk.commits, disk.partitions.get(after.partition));
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
    const into = foldedInto(scene, before);
    if (into !== undefined) {
      checkFolded(scene, before, into);
      if (!wishes.isWritten(before.collection, before.entity))
        checkShown(scene, commit, before, into);
      history.fold(before.seq, into.seq);
      continue;
    }
    if (life !== undefined && (wishes.mayErase || life.isDiscarded)) life.isErased = true;
    if (life?.isDiscarded === true) continue;
    if (isAcknowledged(scene, before)) continue;
    if (history.conflicted.has(before.idempotencyKey)) continue;
    if (wishes.mayErase || wishes.mayRemove) continue;
    if (wishes.mayVanish && before.operation === 'create' && before.ambiguous !== 1) continue;
    scene.fail('lost', `${name(before)} ${before.payload} left the queue and no server has it`);
  }
}

/** The earlier entry of its lane that stands for this one as well, since somebody has retried that one. */
function foldedInto({ disk }: Scene, entry: EntryOnDisk): EntryOnDisk | undefined {
  const mark = disk.departures.get(String(entry.seq)) as DepartureOnDisk | undefined;
  if (mark?.outcome !== 'moved' || detailOf(entry).isDetached === true) return undefined;
  return [...disk.entries.values()].find(({ seq }) => seq === mark.to);
}

/** Folding loses nothing: the effect is where the mark says, and the app sees what it saw. */
function checkFolded({ fail }: Scene, gone: EntryOnDisk, into: EntryOnDisk): void {
  const what = `${name(gone)}, which is folded into ${name(into)},`;
  if (laneOf(into) !== laneOf(gone) || into.seq > gone.seq)
    fail('folded', `${what} was not behind it`);
  if (COLLECTIONS[gone.collection as CollectionName].coalesce === false)
    fail('folded', `${what} is of a store that keeps every step`);
  if (gone.ambiguous === 1 || into.ambiguous === 1)
    fail('folded', `${what} or that one may be on a server`);
  if (detailOf(gone).group !== undefined || detailOf(into).group !== undefined)
    fail('folded', `${what} crosses the edge of a transaction`);
}

function checkShown({ fail }: Scene, commit: Commit, gone: EntryOnDisk, into: EntryOnDisk): void {
  // One that had left the lane came back with it, and is seen again.
  if (commit.entries.some((change) => isBack(change) && laneOf(change.before) === laneOf(gone)))
    return;
  const what = `${name(gone)}, which is folded into ${name(into)},`;
  for (const { before, after } of commit.rows) {
    if (after?.collection !== gone.collection || after.id !== gone.entity) continue;
    if (after.partition !== gone.partition || textOf(before?.value) === textOf(after.value))
      continue;
    fail('folded', `${what} showed ${before?.value}, and the app sees ${after.value} now`);
  }
}

type EntryChange = Commit['entries'][number];

/** Under its own seq, or as a new entry. */
function isBack(change: EntryChange): change is EntryChange & { readonly before: EntryOnDisk } {
  const { before, after } = change;
  if (before === undefined || detailOf(before).isDetached !== true) return false;
  return after === undefined || detailOf(after).isDetached !== true;
}

function textOf(value: string | null | undefined): string {
  return canonical(value === null || value === undefined ? null : decode(value));
}

function isAcknowledged({ server, history, fail }: Scene, entry: EntryOnDisk): boolean {
  const principal = history.lives.get(entry.seq)?.owner ?? 'nobody';
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
