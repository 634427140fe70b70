import { COUNT, requireKind } from '../core/model/arguments.ts';
import type { StorageErrorCode } from '../core/model/errors.ts';
import { StorageError } from '../core/model/errors.ts';
import { STORAGE } from '../core/ports/kinds.ts';
import type { Change, Storage, StorageTransaction } from '../core/ports/storage.ts';
import type { ArmedFault } from './storage-laws/law.ts';

export interface FaultyStorage extends Storage {
  /**
   * Makes the nth write of a transaction from now on fail (1 is the next), and its transaction with it.
   *
   * @param code @defaultValue 'storage/quota-exceeded'
   */
  failWrite(nth: number, code?: StorageErrorCode): ArmedFault;
}

/** A storage that fails when a test says so: to see that an app, or the queue, takes it well. */
export function faultyStorage(storage: Storage): FaultyStorage {
  requireKind('faultyStorage: storage', storage, STORAGE);
  let remaining = -1;
  let failureCode: StorageErrorCode = 'storage/quota-exceeded';
  const strike = (): void => {
    if (remaining <= 0) return;
    remaining -= 1;
    if (remaining === 0) throw new StorageError(failureCode, 'injected failure');
  };
  const failing = (tx: StorageTransaction): StorageTransaction => ({
    get: async (table, keys) => await tx.get(table, keys),
    scan: async (table, range) => await tx.scan(table, range),
    write: async (changes: readonly Change[]) => {
      strike();
      await tx.write(changes);
    },
  });
  return {
    capabilities: storage.capabilities,
    open: async (schema) => await storage.open(schema),
    transact: async (mode, body) =>
      await storage.transact(mode, async (tx) => await body(failing(tx))),
    foreignCommits: async () => await storage.foreignCommits(),
    close: async () => await storage.close(),
    failWrite: (nth, code = 'storage/quota-exceeded') => {
      requireKind('failWrite: nth', nth, COUNT);
      remaining = nth;
      failureCode = code;
      return {
        hasStruck: () => remaining === 0,
        disarm: () => {
          if (remaining > 0) remaining = -1;
        },
      };
    },
  };
}
