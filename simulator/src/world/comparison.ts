import type { Storage } from 'nexus-store';
import { keyOfRecord, type EntryOnDisk, type RowOnDisk } from './records.ts';

type Schema = Parameters<Storage['open']>[0];
/** Records by table and key. */
export type Tables = ReadonlyMap<string, ReadonlyMap<string, unknown>>;
type Flat = Readonly<Record<string, unknown>>;

const ALL = 1_000_000;

/** All records that a driver gives, by table and key, each entry with the payload that its row has. */
export async function readAll(storage: Storage, schema: Schema): Promise<Tables> {
  const tables = new Map<string, Map<string, unknown>>();
  await storage.transact('read', async (tx) => {
    for (const name of Object.keys(schema.tables)) {
      const records = await tx.scan(name, { limit: ALL });
      tables.set(name, new Map(records.map((record) => [keyOfRecord(name, record), record])));
    }
  });
  const entries = tables.get('entries') ?? new Map<string, unknown>();
  for (const [key, record] of entries) {
    const entry = record as EntryOnDisk;
    if (entry.payload !== '') continue;
    const row = [entry.partition, entry.collection, entry.entity].join('|');
    const { value = '' } = (tables.get('rows')?.get(row) ?? {}) as Partial<RowOnDisk>;
    entries.set(key, { ...entry, payload: value });
  }
  return tables;
}

/** Records that are not the same on both sides, in words. */
export function differences(found: Tables, expected: Tables): readonly string[] {
  const different: string[] = [];
  for (const name of new Set([...found.keys(), ...expected.keys()])) {
    const ours = found.get(name) ?? new Map<string, unknown>();
    const theirs = expected.get(name) ?? new Map<string, unknown>();
    for (const key of new Set([...ours.keys(), ...theirs.keys()])) {
      const [here, there] = [ours.get(key), theirs.get(key)];
      if (isSame(here as Flat | undefined, there as Flat | undefined)) continue;
      different.push(`${name} ${key} is ${JSON.stringify(here)}, not ${JSON.stringify(there)}`);
    }
  }
  return different;
}

function isSame(a: Flat | undefined, b: Flat | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  for (const column of new Set([...Object.keys(a), ...Object.keys(b)])) {
    if ((a[column] ?? null) !== (b[column] ?? null)) return false;
  }
  return true;
}
