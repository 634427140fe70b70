import type { Key } from '../ports/storage.ts';
import { StorageError } from './errors.ts';
import { decodeValue } from './value-codec.ts';

/**
 * Everything that is stored as text is read through here. A text that cannot be read is damage, whatever
 * did it: the error says where it stands, and never what it holds (the engine's own error quotes it).
 */
export function corrupt(table: string, key: Key): StorageError {
  return new StorageError('storage/corrupt', `${placeOf(table, key)} is damaged`);
}

/** How errors and events name a record. */
export function placeOf(table: string, key: Key): string {
  return `${table} ${JSON.stringify(key)}`;
}

/** @throws StorageError `storage/corrupt` */
export function decodeStored(text: string, table: string, key: Key): unknown {
  try {
    return decodeValue(text);
  } catch {
    throw corrupt(table, key);
  }
}

/** The object of a JSON text; undefined if it is none. */
export function parsedObject(text: string): object | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed;
  } catch {
    // What is no JSON is no object.
  }
  return undefined;
}

/** True if the text is a value that can be read. */
export function isReadable(text: string): boolean {
  try {
    decodeValue(text);
    return true;
  } catch {
    return false;
  }
}
