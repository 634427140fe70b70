import { chmodSync, copyFileSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import {
  createBackend,
  createStandardRuntime,
  isNexusError,
  silentLogger,
  type BackendOptions,
  type StoreBackend,
} from 'nexus-store';
import { httpRemote } from 'nexus-store/http';
import { sqliteStorage } from 'nexus-store/sqlite';
import { CliError } from './cli-error.ts';
import { plain } from './format.ts';
import type { Options } from './options.ts';

export const DATABASE_OPTION = { db: { type: 'string' } } as const;
export const DATABASE_HELP = `  --db FILE            the database (default: $NEXUS_STORE_DB, else nexus-store.db)`;

export interface OpenDatabase {
  readonly path: string;
  readonly backend: StoreBackend;
  /** True if this is a copy, because the database itself cannot be written. */
  readonly isCopy: boolean;
  readonly close: () => Promise<void>;
}

export function databasePath(
  options: Options,
  env: Readonly<Record<string, string | undefined>>,
): string {
  return options.text('db') ?? (env['NEXUS_STORE_DB'] || 'nexus-store.db');
}

/**
 * Opens a database. It sends nothing by itself.
 *
 * @throws CliError `cli/no-database` unless it is there or may be made
 */
export async function openDatabase(
  path: string,
  settings: Omit<BackendOptions, 'storage'> & { readonly mayCreate?: boolean } = {},
): Promise<OpenDatabase> {
  const { mayCreate = false, ...backendOptions } = settings;
  requireDatabase(path, mayCreate);
  const backend = createBackend({
    storage: sqliteStorage({ path }),
    // Never asked. Without any remote the status would say that there is none, and not what blocked the
    // last sync with the real one.
    remote: httpRemote({ url: 'http://localhost', pull: false, events: false }),
    autoSync: false,
    headless: true,
    // Every command says itself what failed.
    runtime: createStandardRuntime({ logger: silentLogger }),
    ...backendOptions,
  });
  try {
    await backend.open();
  } catch (error) {
    await backend.close();
    throw isNexusError(error, 'usage/invalid-argument') ? notOurs(path, error) : error;
  }
  return { path, backend, isCopy: false, close: () => backend.close() };
}

/** Opens a database to look at it: one that cannot be written is copied to a temporary folder first. */
export async function openForReading(path: string): Promise<OpenDatabase> {
  try {
    return await openDatabase(path);
  } catch (error) {
    if (!isNexusError(error, 'storage/read-only')) throw error;
  }
  const folder = mkdtempSync(join(tmpdir(), 'nexus-store-look-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    const copy = join(folder, basename(path));
    copyDatabase(path, copy);
    const { backend } = await openDatabase(copy);
    const close = async (): Promise<void> => {
      await backend.close();
      remove();
    };
    return { path, backend, isCopy: true, close };
  } catch (error) {
    remove();
    throw error;
  }
}

/** With the log that SQLite keeps beside the file, which holds the last commits. */
function copyDatabase(from: string, to: string): void {
  try {
    for (const suffix of ['', '-wal']) {
      if (!existsSync(from + suffix)) continue;
      copyFileSync(from + suffix, to + suffix);
      chmodSync(to + suffix, 0o600);
    }
  } catch (cause) {
    throw new CliError('cli/unreadable', `${from} cannot be read; check its permissions`, {
      cause,
    });
  }
}

function notOurs(path: string, cause: unknown): CliError {
  return new CliError(
    'usage/invalid-argument',
    `${plain(path, 200)} is the database of another program; name another with --db`,
    { cause },
  );
}

function requireDatabase(path: string, mayCreate: boolean): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined && mayCreate) return;
  if (found === undefined) {
    throw new CliError(
      'cli/no-database',
      `there is no database ${path}; name it with --db, or make one with "nexus-store import"`,
    );
  }
  if (found.isDirectory()) {
    throw new CliError('cli/no-database', `${path} is a folder; name a database file with --db`);
  }
}
