import { writeFileSync } from 'node:fs';
import type { SeededRandom } from 'nexus-store/testing';
import type { SqliteClient } from 'nexus-store/sqlite';
import type { Files } from './medium.ts';

/**
 * Puts files down as a database of another name.
 *
 * @param random for what lies in shared memory after a loss of power; undefined leaves it empty
 */
export function putDown(path: string, files: Files, random: SeededRandom | undefined): void {
  for (const [end, bytes] of files) if (bytes !== undefined) writeFileSync(path + end, bytes);
  // Nobody syncs shared memory: whatever is there means nothing.
  if (random === undefined || !random.chance(0.5)) return;
  const junk = Buffer.alloc(random.pick([1, 3, 32_768]), random.integer(2 ** 31).toString(36));
  writeFileSync(`${path}-shm`, junk);
}

/** A client whose connections can be closed from outside, as the end of a process closes them. */
export function closable(client: SqliteClient): {
  readonly client: SqliteClient;
  readonly closeAll: () => void;
} {
  const open = new Set<{ close(): unknown }>();
  return {
    client: {
      encrypted: client.encrypted,
      open: async (path, options) => {
        const connection = await client.open(path, options);
        open.add(connection);
        return {
          exec: (sql) => connection.exec(sql),
          prepare: (sql) => connection.prepare(sql),
          close: () => {
            if (open.delete(connection)) return connection.close();
          },
        };
      },
    },
    closeAll: () => {
      for (const connection of open) connection.close();
      open.clear();
    },
  };
}
