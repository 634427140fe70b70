import { StorageError } from '../../core/model/errors.ts';

/**
 * SQLite opens a file that it may not write all the same, and says only "unable to open" where the folder
 * is the obstacle; its log lies beside the file, so both must be writable. The file itself is not opened
 * here: closing it again would give up the locks that other connections of this process hold on it.
 *
 * @throws StorageError `storage/unavailable` if there is no such folder, `storage/read-only`
 */
export function assertWritable(path: string): void {
  const fs = process.getBuiltinModule('node:fs');
  const folder = process.getBuiltinModule('node:path').dirname(path);
  if (!fs.existsSync(folder)) {
    throw new StorageError('storage/unavailable', `there is no folder ${folder}`);
  }
  for (const place of [folder, path]) {
    if (!fs.existsSync(place)) continue;
    try {
      fs.accessSync(place, fs.constants.W_OK);
    } catch (cause) {
      throw new StorageError('storage/read-only', `${place} cannot be written`, { cause });
    }
  }
}
