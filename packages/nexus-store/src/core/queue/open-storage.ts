import { STORAGE_SCHEMA } from '../model/storage-schema.ts';
import type { Storage } from '../ports/storage.ts';

const opened = new WeakMap<Storage, Promise<void>>();

/** Opens a storage that several queues and a backend may share. A failure may be tried again. */
export function openStorage(storage: Storage): Promise<void> {
  let opening = opened.get(storage);
  if (opening === undefined) {
    opening = storage.open(STORAGE_SCHEMA).catch((error: unknown) => {
      opened.delete(storage);
      throw error;
    });
    opened.set(storage, opening);
  }
  return opening;
}
