import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Setting } from '../harness/bench-case.ts';

let count = 0;

/** A path for a database that nobody has used before. */
export function newPath(setting: Pick<Setting, 'folder'>, name: string): string {
  count += 1;
  return join(setting.folder, `${name}-${count}.db`);
}

export function removeDatabase(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
}
