import type { Value } from '../world/collections.ts';
import type { Commit } from '../world/disk.ts';
import { decode, detailOf, type EntryOnDisk, type RowOnDisk } from '../world/records.ts';
import type { Scene } from './scene.ts';

/**
 * A transaction is made on what it read: if its commit finds another value, it must run again, or an
 * update by somebody else is lost.
 */
export function checkLostUpdates({ fail }: Scene, commit: Commit): void {
  for (const { before, after } of commit.rows) {
    const value = valueOf(after);
    if (value?.was === undefined || after === undefined) continue;
    const [token, read] = value.was;
    const mark = `"was":[${token},`;
    // Pulls and conflicts bring such a value as well: only the commit that made it counts.
    const holds = (entry: EntryOnDisk | undefined): boolean =>
      entry?.payload?.includes(mark) === true;
    const isMade =
      commit.entries.some((entry) => holds(entry.after) && !isDecided(entry)) &&
      !commit.entries.some((entry) => holds(entry.before));
    if (!isMade || value.token !== token) continue;
    const old = valueOf(before)?.token ?? null;
    if (old === read) continue;
    fail(
      'lost-update',
      `${after.collection}/${after.id}: a transaction read ${read}, found ${old}, wrote ${token}`,
    );
  }
}

/** A conflict was decided: the value may be the server's. */
function isDecided({ before, after }: Commit['entries'][number]): boolean {
  if (before === undefined || after === undefined) return false;
  return (detailOf(after).rounds ?? 0) > (detailOf(before).rounds ?? 0);
}

function valueOf(row: RowOnDisk | undefined): Value | null {
  const text = row?.value ?? null;
  return text === null ? null : (decode(text) as Value);
}
