import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import type { ExpoSqlite } from '../sqlite/expo-sqlite-client.ts';
import type { OpSqlite } from '../sqlite/op-sqlite-client.ts';

interface NodeError extends Error {
  readonly errcode?: number;
}

/** How a library prints SQLite's errors. */
type Print = (code: number, message: string) => string;

export const EXPO_IOS: Print = (code, message) => `Error code ${code & 0xff}: ${message}`;
/** The number becomes a character: `result += code` on a C++ string. */
export const EXPO_ANDROID: Print = (code, message) =>
  `Call to function 'NativeStatement.runAsync' has been rejected.\n→ Caused by: Error code ${String.fromCharCode(code & 0xff)}: ${message}`;

async function later<T>(print: Print, call: () => T): Promise<T> {
  await new Promise((resolve) => setImmediate(resolve));
  try {
    return call();
  } catch (error) {
    const { errcode, message } = error as NodeError;
    throw errcode === undefined ? error : new Error(print(errcode, message));
  }
}

/** `expo-sqlite` over Node's SQLite: everything later, errors as text, no read-only databases. */
export function expoSqliteLookAlike(folder: string, print: Print): ExpoSqlite {
  return {
    openDatabaseAsync: (name, _options, directory) =>
      later(print, () => {
        const database = new DatabaseSync(join(directory ?? folder, name));
        return {
          execAsync: (sql) => later(print, () => database.exec(sql)),
          prepareAsync: (sql) =>
            later(print, () => {
              const statement = database.prepare(sql);
              statement.setReturnArrays(true);
              return {
                executeForRawResultAsync: (parameters) =>
                  later(print, () => {
                    const rows = statement.all(...(parameters as SQLInputValue[]));
                    return { getAllAsync: () => later(print, () => rows as unknown[]) };
                  }),
              };
            }),
          closeAsync: () => later(print, () => database.close()),
        };
      }),
  };
}

/** op-sqlite over Node's SQLite: opens at once, throws plain texts there, answers raw rows later. */
export function opSqliteLookAlike(folder: string): OpSqlite {
  const print: Print = (code, message) =>
    `[op-sqlite] SQLite error code: ${code & 0xff}, description: ${message}`;
  return {
    open: ({ name, location, readOnly = false }) => {
      const database = openPlain(join(location ?? folder, name), readOnly);
      return {
        executeRaw: (sql, parameters) =>
          later(print, () => {
            if (parameters === undefined) {
              database.exec(sql);
              return { rawRows: [] };
            }
            const statement = database.prepare(sql);
            statement.setReturnArrays(true);
            const rows = statement.all(
              ...(parameters as SQLInputValue[]),
            ) as unknown[] as unknown[][];
            return { rawRows: rows.map((row) => row.map(asBuffer)) };
          }),
        close: () => database.close(),
      };
    },
  };
}

function openPlain(path: string, readOnly: boolean): DatabaseSync {
  try {
    return new DatabaseSync(path, { readOnly });
  } catch (error) {
    throw new Error((error as Error).message);
  }
}

function asBuffer(value: unknown): unknown {
  if (!(value instanceof Uint8Array)) return value;
  return value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength);
}
