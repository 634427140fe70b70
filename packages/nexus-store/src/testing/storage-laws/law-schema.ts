import { isNexusError } from '../../core/model/errors.ts';
import type {
  Change,
  Key,
  ScanRange,
  Storage,
  StorageSchema,
  StoredRecord,
} from '../../core/ports/storage.ts';

/** Small tables with every kind of key and of column. */
export const LAW_SCHEMA: StorageSchema = {
  version: 1,
  tables: {
    texts: { columns: { name: 'text', value: 'text' }, key: ['name'] },
    queue: {
      columns: { position: 'integer', lane: 'text', due: 'integer', value: 'any' },
      key: ['position'],
      indexes: { lane: ['lane', 'due'], due: ['due'] },
    },
    rows: {
      columns: { area: 'integer', kind: 'text', id: 'any', value: 'text', tag: 'any' },
      key: ['area', 'kind', 'id'],
      indexes: { tag: ['tag'] },
    },
    links: { columns: { from: 'integer', to: 'integer' }, key: ['from', 'to'] },
    facts: { columns: { name: 'text', value: 'text' }, key: ['name'], isSmall: true },
  },
};

/** The next version: a table, a column and an index more. */
export const NEXT_SCHEMA: StorageSchema = {
  version: 2,
  tables: {
    ...LAW_SCHEMA.tables,
    texts: {
      columns: { name: 'text', value: 'text', size: 'integer' },
      key: ['name'],
      indexes: { size: ['size'], value: ['value'] },
    },
    extra: { columns: { id: 'integer' }, key: ['id'] },
  },
};

const EVERYTHING = 1_000_000;

export const putText = (name: string, value: string | null): Change => ({
  table: 'texts',
  put: { name, value },
});

export const putFact = (name: string, value: string): Change => ({
  table: 'facts',
  put: { name, value },
});

export const putQueued = (
  position: number,
  fields: Partial<StoredRecord> = {},
): { table: string; put: StoredRecord } => ({
  table: 'queue',
  put: { position, lane: null, due: null, value: null, ...(fields as StoredRecord) },
});

export async function write(storage: Storage, ...changes: readonly Change[]): Promise<void> {
  await storage.transact('write', async (tx) => await tx.write(changes));
}

export async function get(
  storage: Storage,
  table: string,
  ...keys: readonly Key[]
): Promise<readonly (StoredRecord | undefined)[]> {
  return await storage.transact('read', async (tx) => await tx.get(table, keys));
}

export async function scan(
  storage: Storage,
  table: string,
  range: Partial<ScanRange> = {},
): Promise<readonly StoredRecord[]> {
  return await storage.transact(
    'read',
    async (tx) => await tx.scan(table, { limit: EVERYTHING, ...range }),
  );
}

/** All that the database holds. */
export async function contents(storage: Storage): Promise<unknown> {
  return await storage.transact('read', async (tx) => {
    const tables: Record<string, unknown> = {};
    for (const table of Object.keys(LAW_SCHEMA.tables)) {
      tables[table] = await tx.scan(table, { limit: EVERYTHING });
    }
    return tables;
  });
}

/** The code a promise rejects with, its message if the error has none, or 'resolved'. */
export async function failure(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'resolved';
  } catch (error) {
    return isNexusError(error)
      ? error.code
      : error instanceof Error
        ? error.message
        : String(error);
  }
}

/** True if it rejects, with whatever. */
export async function rejects(promise: Promise<unknown>): Promise<boolean> {
  return (await failure(promise)) !== 'resolved';
}
