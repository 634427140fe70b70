// The page of run-kills.ts: writes until the browser is killed, and tells afterwards what is there.
import { createBackend, NexusStore } from 'nexus-store';
import type { StoreBackend } from 'nexus-store';
import { indexedDbStorage } from 'nexus-store/indexeddb';

interface Note {
  readonly id: string;
  readonly revision: number;
}

/** What the database says of one note: in the store, and in what waits to be sent. */
export interface Found {
  readonly id: string;
  readonly stored: number | null;
  readonly queued: number | null;
}

/** Told to Node when a save has resolved; put there by `exposeFunction`. */
declare const acknowledged: (id: string, revision: number) => Promise<void>;

const NOTES = 300;
const DATABASE = 'kills';

/** Saves one revision after another, alone and many at once, until the browser is gone. */
export async function writeForever(firstRevision: number): Promise<void> {
  const { notes } = open();
  for (let revision = firstRevision; ;) {
    const together = revision % 7 === 0 ? 60 : 1;
    const batch: Note[] = [];
    for (let i = 0; i < together; i += 1, revision += 1) {
      batch.push({ id: `note-${(revision * 31) % NOTES}`, revision });
    }
    await Promise.all(
      batch.map(async (note) => {
        await notes.save(note);
        await acknowledged(note.id, note.revision);
      }),
    );
  }
}

/** Everything that is there, and what the counters on disk say of it. */
export async function look(): Promise<{ notes: Found[]; waiting: number; counted: number }> {
  const { backend, notes } = open();
  const stored = new Map((await notes.getAll()).map((note) => [note.id, note.revision]));
  const queued = new Map<string, number>();
  const changes = await notes.pendingChanges();
  for (const { entityId, payload } of changes) {
    queued.set(String(entityId), (payload as Note).revision);
  }
  await backend.close();
  const counted = await countedPending();
  const ids = new Set([...stored.keys(), ...queued.keys()]);
  return {
    notes: [...ids].map((id) => ({
      id,
      stored: stored.get(id) ?? null,
      queued: queued.get(id) ?? null,
    })),
    waiting: changes.length,
    counted,
  };
}

function open(): { backend: StoreBackend; notes: NexusStore<Note> } {
  const backend = createBackend({
    storage: indexedDbStorage({ name: DATABASE }),
    autoSync: false,
  });
  return { backend, notes: new NexusStore<Note>({ backend, collection: 'notes' }) };
}

/** How many entries wait according to the counters, read below the library. */
async function countedPending(): Promise<number> {
  const database = await done(indexedDB.open(DATABASE));
  const record = await done(
    database.transaction('~records').objectStore('~records').get(['meta', 'queue']),
  );
  database.close();
  if (record === undefined) return 0;
  const { counters } = JSON.parse((record as { value: string }).value) as {
    counters: Record<string, { pending: number[] }>;
  };
  return Object.values(counters)
    .flatMap(({ pending }) => pending)
    .reduce((sum, count) => sum + count, 0);
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
