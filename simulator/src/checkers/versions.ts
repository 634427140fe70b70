import type { Commit } from '../world/disk.ts';
import type { Scene } from './scene.ts';

/**
 * The server counts its versions up, so what is known of a row on the server never goes back: no page that was
 * asked for earlier, in whatever context, undoes what an acknowledgement has brought. Not after a loss of commits: then
 * a whole lane may be acknowledged once more, one version after the other, to what a pull has brought already.
 */
export function checkVersions({ disk, fail }: Scene, commit: Commit): void {
  if (disk.hasLostCommits) return;
  for (const { before, after } of commit.rows) {
    const [old, now] = [numberOf(before?.version), numberOf(after?.version)];
    if (after === undefined || old === undefined || now === undefined || now >= old) continue;
    fail('stale', `${after.collection} ${after.id} goes back from v${old} to v${now}`);
  }
}

function numberOf(version: string | null | undefined): number | undefined {
  return version === null || version === undefined ? undefined : Number(version.slice(1));
}
