// The entry file of an app as a bundler takes it: what a headless start evaluates, and nothing else.
import '../index.ts';
import * as SQLite from 'expo-sqlite';
import { createBackend, defineBackgroundSync, NexusStore, type Remote } from 'nexus-store';
import { sqliteStorage } from 'nexus-store/sqlite';
import { expoSqliteClient, type ExpoSqlite } from '../sqlite/expo-sqlite-client.ts';

const { fieldRemote } = globalThis as unknown as { readonly fieldRemote: Remote };

const backend = createBackend({
  storage: sqliteStorage({
    path: 'field.db',
    client: expoSqliteClient(SQLite as unknown as ExpoSqlite),
  }),
  remote: fieldRemote,
});
const notes = new NexusStore<{ id: string; text: string }>({ backend, collection: 'notes' });
export const background = defineBackgroundSync({ open: () => backend });

/** What a screen would do; values of another JavaScript context are not plain objects here. */
export const write = (...ids: readonly string[]): Promise<unknown> =>
  Promise.all(ids.map((id) => notes.save({ id, text: id })));
