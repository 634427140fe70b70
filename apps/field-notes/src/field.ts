// The data of the app, for the pages and for the service worker: both open the same database.
import { createBackend, NexusStore, type StoreBackend } from 'nexus-store';
import { httpRemote } from 'nexus-store/http';
import { indexedDbStorage, type IndexedDbStorage } from 'nexus-store/indexeddb';
import { inspectable, type InspectableRemote } from 'nexus-store/inspectable';
import { credentialsOf } from './credentials.ts';
import type { Note } from './model/note.ts';
import type { Report } from './model/report.ts';

export interface Field {
  readonly backend: StoreBackend;
  readonly storage: IndexedDbStorage;
  /** With the inspector's switches before it. */
  readonly remote: InspectableRemote;
  readonly notes: NexusStore<Note>;
  readonly reports: NexusStore<Report>;
}

/** Who asks the server, and who is asked when it cannot be. */
export class NobodySignedInError extends Error {}

export function openField(): Field {
  const remote = inspectable(
    httpRemote({
      url: new URL('/sync', location.href).href,
      // Asked for each request, with the user whose writes it carries: never somebody else's token.
      headers: async ({ principal }) => {
        const credentials = principal === null ? undefined : await credentialsOf(principal);
        if (credentials === undefined) throw new NobodySignedInError('nobody is signed in');
        return { authorization: `Bearer ${credentials.token}` };
      },
    }),
    // One switch for all pages and the worker, or it would send while a page plays offline.
    { sharedAs: 'field-notes' },
  );
  const storage = indexedDbStorage({ name: 'field-notes' });
  const backend = createBackend({ storage, remote, requestTimeout: '20s' });
  return {
    backend,
    storage,
    remote,
    // A person decides when two have changed one note: a hazard must not vanish in a merge.
    notes: new NexusStore<Note>({
      backend,
      collection: 'notes',
      conflict: 'manual',
      indexes: ['changedAt'],
    }),
    reports: new NexusStore<Report>({
      backend,
      collection: 'reports',
      indexes: ['Flight Date'],
    }),
  };
}
