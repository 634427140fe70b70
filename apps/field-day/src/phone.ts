import { createBackend, NexusStore, type StoreBackend } from 'nexus-store';
import { httpRemote } from 'nexus-store/http';
import { sqliteStorage } from 'nexus-store/sqlite';
import type { Report } from './reports.ts';

export const COLLECTION = 'reports';
export const TEAM = 'field-team';
export const TOKEN = 'field-day';

/** So many people write at once. */
export const INSPECTORS = 32;
/** Small enough that the drain can be watched, and a kill leaves a few of them half done. */
export const BATCH_SIZE = 25;

/** The app of the story, as each of its processes opens it. */
export function openPhone(
  database: string,
  url: string,
  options: { readonly autoSync: boolean },
): { readonly backend: StoreBackend; readonly reports: NexusStore<Report> } {
  const backend = createBackend({
    storage: sqliteStorage({ path: database }),
    remote: httpRemote({ url, headers: { authorization: `Bearer ${TOKEN}` }, events: false }),
    autoSync: options.autoSync,
    batchSize: BATCH_SIZE,
    // The runner after a killed one waits this long for what that one had claimed: short, for the story.
    requestTimeout: '3s',
    lease: '4s',
  });
  const reports = new NexusStore<Report>({ backend, collection: COLLECTION, pull: false });
  return { backend, reports };
}
