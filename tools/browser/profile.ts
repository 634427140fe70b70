import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A browser profile in a folder of its own. It outlives the browsers that use it, one after another. */
export interface Profile {
  readonly path: string;
  remove(): Promise<void>;
}

export async function createProfile(): Promise<Profile> {
  const path = await mkdtemp(join(tmpdir(), 'nexus-store-profile-'));
  // A process of a browser that was just killed may still write a last file.
  const remove = (): Promise<void> => rm(path, { recursive: true, force: true, maxRetries: 5 });
  return { path, remove };
}
