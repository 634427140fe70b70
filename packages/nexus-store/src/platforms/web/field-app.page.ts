// The page of the browser tests: an app as anybody would write it, and what tests want to know of it.
import { defineBackgroundSync, type StoreBackend, type BackgroundSync } from '../../index.ts';
import type { SyncPriority } from '../../index.ts';
import { notesOf, openBackend, writeSteps } from './field-backend.page.ts';
import { webBackgroundSync } from './index.ts';
import type { ServiceWorkerSyncService } from './service-worker-sync-service.ts';

let backend: StoreBackend;
let background: BackgroundSync;

/** Starts the app, with its service worker if there is such a thing. */
export async function start(options: { readonly worker?: string } = {}): Promise<void> {
  if (options.worker !== undefined && 'serviceWorker' in navigator) {
    await navigator.serviceWorker.register(options.worker, { scope: '/' });
    await navigator.serviceWorker.ready;
  }
  backend = openBackend();
  background = defineBackgroundSync({
    open: () => backend,
    providers: [webBackgroundSync({ badge: true })],
  });
  await background.ready;
}

/** The store alone, without anything in the background and without sending. */
export async function writeOnly(ids: readonly string[], worker?: string): Promise<void> {
  if (worker !== undefined) {
    await navigator.serviceWorker.register(worker, { scope: '/' });
    await navigator.serviceWorker.ready;
  }
  const own = openBackend({ autoSync: false });
  const notes = notesOf(own);
  for (const id of ids) await notes.save({ id, step: 1 });
  await own.close();
}

export async function write(ids: readonly string[], priority?: SyncPriority): Promise<void> {
  const notes = notesOf(backend);
  await Promise.all(ids.map((id) => notes.save({ id, step: 1 }, priority && { priority })));
}

interface Reporting {
  readonly saved?: (id: string, step: number) => void;
}

/** Tells the test of every save that has resolved, if it listens. */
export async function writeMany(prefix: string, entities: number, steps: number): Promise<void> {
  const { saved } = globalThis as Reporting;
  await writeSteps(notesOf(backend), prefix, entities, steps, saved);
}

/** Lets the worker write, and waits for it. */
export async function writeInWorker(
  prefix: string,
  entities: number,
  steps: number,
): Promise<void> {
  const { active } = await navigator.serviceWorker.ready;
  const channel = new MessageChannel();
  const done = new Promise((resolve) => (channel.port1.onmessage = resolve));
  active?.postMessage({ type: 'write', prefix, entities, steps }, [channel.port2]);
  await done;
}

export async function sync(): Promise<string> {
  return (await backend.sync()).stoppedBy;
}

/** Begins to send, and does not wait for it. */
export function syncSoon(): void {
  void backend.sync();
}

export function isPushing(): boolean {
  return backend.status.current.phase === 'pushing';
}

export async function pendingCount(): Promise<number> {
  await backend.refresh();
  return backend.pendingChangesCount.current;
}

let shown: readonly { readonly id: string }[] = [];

/** Shows all notes from now on, as a list on a screen does. */
export function showNotes(): void {
  notesOf(backend)
    .watchAll()
    .subscribe((notes) => (shown = notes ?? []));
}

export function shownIds(): readonly string[] {
  return shown.map(({ id }) => id);
}

export async function support(): Promise<unknown> {
  return ((await background.ready) as ServiceWorkerSyncService).support.current;
}

export async function tags(): Promise<readonly string[]> {
  const registration = (await navigator.serviceWorker.ready) as unknown as {
    sync: { getTags(): Promise<string[]> };
  };
  return registration.sync.getTags();
}

export async function history(): Promise<readonly { requestId: string; pushed: number }[]> {
  return background.history();
}

/** What the notes of another tab look like here, as soon as they do. */
export function seeStep(id: string, step: number): Promise<void> {
  return new Promise((resolve) => {
    const stop = notesOf(backend)
      .watch(id)
      .subscribe((note) => {
        if (note?.step !== step) return;
        resolve();
        queueMicrotask(() => stop());
      });
  });
}

/** Whether nobody keeps a transaction open that writers of the database would have to wait for. */
export async function canWrite(): Promise<boolean> {
  const database = await new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open('field');
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const stores = [...database.objectStoreNames];
  const writing = database.transaction(stores, 'readwrite');
  writing.objectStore(stores[0] as string).count();
  return new Promise((resolve) => {
    const giveUp = setTimeout(() => writing.abort(), 400);
    const end = (isDone: boolean): void => {
      clearTimeout(giveUp);
      database.close();
      resolve(isDone);
    };
    writing.oncomplete = () => end(true);
    writing.onabort = () => end(false);
  });
}
