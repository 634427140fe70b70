import type { Commit } from '../world/disk.ts';
import { detailOf, type DepartureOnDisk, type EntryOnDisk } from '../world/records.ts';
import { name } from './records-agree.ts';
import type { Scene } from './scene.ts';

/**
 * A write that takes another one in keeps what was promised of that: how long it may wait, and that it is
 * there before those who come after it.
 */
export function checkFolds(scene: Scene, commit: Commit): void {
  const before = bySeq(commit.entries.map((change) => change.before));
  const after = bySeq(commit.entries.map((change) => change.after));
  for (const old of before.values()) {
    const now = after.get(old.seq);
    if (now !== undefined) checkLimit(scene, old, now);
    if (old.operation === 'delete') continue;
    if (now?.operation === 'delete') {
      checkNotNeeded(scene, old, asTheyWaited(scene, commit));
    } else if (hasVanished(scene, old)) {
      // In this very commit they wait no more for it, and have not gone themselves.
      const left = [...before.values()].filter((entry) => isInLane(after.get(entry.seq)));
      checkNotNeeded(scene, old, left);
    }
  }
}

function bySeq(entries: readonly (EntryOnDisk | undefined)[]): Map<number, EntryOnDisk> {
  return new Map(entries.flatMap((entry) => (entry === undefined ? [] : [[entry.seq, entry]])));
}

/**
 * The entries of the queue with what they waited for before this commit: one that waited for the delete
 * itself waits for what has become the delete now.
 */
function asTheyWaited({ disk }: Scene, commit: Commit): EntryOnDisk[] {
  const changed = new Map(commit.entries.map(({ before, after }) => [after?.seq, before]));
  return [...disk.entries.values()].flatMap((entry) =>
    changed.has(entry.seq) ? (changed.get(entry.seq) ?? []) : entry,
  );
}

function hasVanished({ disk }: Scene, { seq }: EntryOnDisk): boolean {
  const mark = disk.departures.get(String(seq)) as DepartureOnDisk | undefined;
  return mark?.outcome === 'vanished';
}

function isInLane(entry: EntryOnDisk | undefined): boolean {
  return entry !== undefined && detailOf(entry).isDetached !== true;
}

/** Null is for ever. A dead letter has no limit, and may be given its old one back. */
function checkLimit({ fail }: Scene, old: EntryOnDisk, now: EntryOnDisk): void {
  if (old.state === 'dead' || now.state === 'dead' || now.expiresAt === null) return;
  if (old.expiresAt !== null && old.expiresAt <= now.expiresAt) return;
  fail('limit', `${name(old)} could wait until ${old.expiresAt}, and now until ${now.expiresAt}`);
}

/** @param others as they were, or are, while they wait */
function checkNotNeeded(
  { fail, history }: Scene,
  old: EntryOnDisk,
  others: readonly EntryOnDisk[],
): void {
  // Whoever decides a conflict may decide for nothing.
  if (history.conflicted.has(old.idempotencyKey)) return;
  const needs = others.find((other) => detailOf(other).after?.includes(old.seq) === true);
  if (needs === undefined) return;
  fail('after', `${name(old)} met its delete, and ${name(needs)} was to come after it`);
}
