// What the inspector's browser tests run in a page.
import axe from 'axe-core';
import {
  BackgroundSyncService,
  createBackend,
  NexusStore,
  type OutgoingEntry,
  type StoreBackend,
} from 'nexus-store';
import { httpRemote } from 'nexus-store/http';
import { inspectable } from 'nexus-store/inspectable';
import { mountInspector } from 'nexus-store/inspector';
import { memoryStorage } from 'nexus-store/memory';
import { openSwitched } from './switched-backend.page.ts';
import { createVirtualRuntime, manualScheduler, memoryRemote } from 'nexus-store/testing';

interface Note {
  readonly id: string;
  readonly text?: string;
}

let backend: StoreBackend;
let unmount: () => void = () => {};

function box(): HTMLElement {
  document.body.style.margin = '0';
  const host = document.createElement('div');
  host.style.height = '100vh';
  document.body.replaceChildren(host);
  return host;
}

// ---- against a real server -------------------------------------------------------------------------

/** A backend that gives up quickly, and its inspector. */
export async function openLive(url: string): Promise<void> {
  const remote = inspectable(httpRemote({ url }), { slowBy: '300ms' });
  backend = createBackend({
    storage: memoryStorage(),
    remote,
    maxAttempts: 3,
    backoff: { initial: '50ms', cap: '100ms' },
  });
  await backend.open();
  unmount = mountInspector(box(), { backend, remote });
}

/** The same over IndexedDB, beside a service worker that sends from it; the network switch is theirs together. */
export async function openBesideWorker(worker: string): Promise<void> {
  await navigator.serviceWorker.register(worker, { scope: '/' });
  await navigator.serviceWorker.ready;
  const switched = openSwitched();
  backend = switched.backend;
  await backend.open();
  unmount = mountInspector(box(), switched);
}

/** What a sync in the service worker came to. */
export async function syncInWorker(): Promise<string> {
  const { active } = await navigator.serviceWorker.ready;
  const channel = new MessageChannel();
  const stopped = new Promise<string>((resolve) => {
    channel.port1.onmessage = ({ data }) => resolve(data as string);
  });
  active?.postMessage('sync', [channel.port2]);
  return stopped;
}

let notes: NexusStore<Note> | undefined;

export async function save(id: string, text: string): Promise<void> {
  notes ??= new NexusStore<Note>({ backend, collection: 'notes' });
  await notes.save({ id, text });
}

export async function close(): Promise<void> {
  unmount();
  await backend.close();
}

// ---- a great many entries --------------------------------------------------------------------------

/**
 * Queues so many entries, then writes on: without the inspector, and beside it. Returns how many elements
 * it has, and for how long at most a task held the page in each case.
 */
export async function openHuge(
  count: number,
): Promise<{ elements: number; aloneMs: number; besideMs: number }> {
  backend = createBackend({
    storage: memoryStorage(),
    remote: memoryRemote(),
    autoSync: false,
    limits: { maxEntries: 2 * count },
  });
  const store = new NexusStore<Note>({ backend, collection: 'notes' });
  for (let from = 0; from < count; from += 5_000) {
    const values = Array.from({ length: Math.min(5_000, count - from) }, (_, index) => ({
      id: `n${from + index}`,
      text: 'waits',
    }));
    await store.saveAll(values);
  }
  await untilIdle();
  const aloneMs = await longestTaskMs(() => writeOn(store));
  const host = box();
  unmount = mountInspector(host, { backend });
  const besideMs = await longestTaskMs(() => writeOn(store));
  const elements = host.shadowRoot?.querySelectorAll('*').length ?? 0;
  return { elements, aloneMs, besideMs };
}

/** Resolves when the page has nothing to do: what was begun before is measured with nobody. */
async function untilIdle(): Promise<void> {
  for (let leftMs = 0; leftMs < 10;)
    leftMs = await new Promise((resolve) => {
      requestIdleCallback((deadline) => resolve(deadline.timeRemaining()));
    });
}

/** Resolves when the inspector shows everything that it takes to make these true. */
async function untilShown(...wanted: readonly ((root: ShadowRoot) => boolean)[]): Promise<void> {
  const root = document.querySelector('div')?.shadowRoot;
  if (root === null || root === undefined) throw new Error('no inspector is mounted');
  await new Promise<void>((resolve) => {
    const look = (): void => {
      if (!wanted.every((isShown) => isShown(root))) return;
      observer.disconnect();
      resolve();
    };
    const observer = new MutationObserver(look);
    observer.observe(root, { subtree: true, childList: true, characterData: true });
    look();
  });
}

async function writeOn(store: NexusStore<Note>): Promise<void> {
  for (let index = 0; index < 25; index += 1) {
    await store.save(
      { id: `later${index}`, text: String(Math.random()) },
      { priority: 'critical' },
    );
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

/** How long the page could not react, at most. */
async function longestTaskMs(work: () => Promise<void>): Promise<number> {
  let longest = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
  });
  observer.observe({ type: 'longtask' });
  await work();
  observer.disconnect();
  return longest;
}

// ---- for pictures, and for axe ---------------------------------------------------------------------

/** A day in the field: some of everything, at a virtual hour that stands still. */
export async function openDay(theme: 'light' | 'dark'): Promise<void> {
  const runtime = createVirtualRuntime(7, { startAt: Date.UTC(2026, 10, 20, 6) });
  const answers = new Map<string, 'reject' | 'fail' | 'conflict' | 'hang'>();
  const base = memoryRemote({
    hints: false,
    latency: () => new Promise((resolve) => runtime.timers.after(180, () => resolve())),
  });
  let isReachable = true;
  base.answerWith(({ batch }) => {
    if (!isReachable) return 'refuse-connection';
    if (batch.some(({ entityId }) => answers.get(String(entityId)) === 'hang')) return 'hang';
    return ({ entityId }: OutgoingEntry) => outcomeOf(answers.get(String(entityId)));
  });
  const remote = inspectable(base);
  backend = createBackend({
    storage: memoryStorage(),
    remote,
    runtime,
    autoSync: false,
    batchSize: 4,
  });
  const store = (collection: string): NexusStore<Note> =>
    new NexusStore<Note>({ backend, collection, conflict: 'manual' });
  const reports = store('reports');
  const photos = store('photos');
  const readings = store('readings');
  const scheduler = manualScheduler(runtime);
  const background = new BackgroundSyncService(runtime, { scheduler, backend, id: 'field' });
  await background.initialize({ minInterval: '30m' });
  unmount = mountInspector(box(), { backend, background, remote, theme });
  const wait = async <R>(promise: Promise<R>): Promise<R> => {
    let isSettled = false;
    const done = (): void => void (isSettled = true);
    promise.then(done, done);
    for (let step = 0; !isSettled && step < 2_000; step += 1) await runtime.advance(50);
    return promise;
  };
  const wake = async (id: string, more = {}): Promise<void> => {
    const { results } = scheduler.wake(id, 30_000, more);
    for (let step = 0; results.length === 0 && step < 900; step += 1) await runtime.advance(50);
  };

  // A morning of runs.
  for (let hour = 0; hour < 9; hour += 1) {
    isReachable = hour % 4 !== 2;
    await readings.saveAll(
      Array.from({ length: 3 + ((hour * 5) % 11) }, (_, index) => ({
        id: `2026-11-${hour}-${index}`,
        text: 'ok',
      })),
      { priority: 'low' },
    );
    if (hour % 3 === 1)
      await reports.save({ id: `bridge-${hour}`, text: 'seen' }, { priority: 'high' });
    await wake(hour % 3 === 1 ? 'field.soon' : 'field');
    await runtime.advance(`${31 + ((hour * 7) % 13)}m`);
  }
  isReachable = true;

  // What is waiting now.
  answers
    .set('crane-4', 'reject')
    .set('silo-12', 'reject')
    .set('gate-9', 'conflict')
    .set('dam-2', 'fail')
    .set('mast-31', 'fail');
  await reports.save({ id: 'crane-4', text: 'Bolt missing' }, { priority: 'high' });
  await reports.save({ id: 'silo-12', text: 'Hatch open' });
  await reports.save({ id: 'gate-9', text: 'Lock changed' });
  await reports.save({ id: 'dam-2', text: 'Seepage at joint 14' }, { priority: 'critical' });
  await photos.save({ id: 'mast-31', text: 'photo' });
  await wait(backend.sync());
  await runtime.advance('90s');
  await reports.patch('crane-4', { text: 'Bolt missing, area closed' });
  await reports.patch('crane-4', { text: 'Bolt found' });
  for (let index = 0; index < 4; index += 1)
    await reports.command('silo-12', 'inspected', { by: index });
  await reports.save({ id: 'tunnel-7', text: 'Water in shaft B' }, { priority: 'critical' });
  await reports.save({ id: 'bridge-88', text: 'Crack, north pier' }, { priority: 'high' });
  const parent = await reports.save({ id: 'roof-3', text: 'Slates loose' }, { priority: 'low' });
  const after = parent.entry === null ? [] : [parent.entry];
  await photos.save({ id: 'roof-3-east', text: 'photo' }, { after, priority: 'high' });
  await backend.transaction(async (tx) => {
    await tx.store(reports).save({ id: 'lift-5', text: 'Handed over' });
    await tx.store(photos).save({ id: 'lift-5-plate', text: 'photo' });
  });
  for (let index = 0; index < 11; index += 1)
    await photos.save({ id: `01938c2e-7d1a-7c3b-9f00-0000000000${10 + index}`, text: 'photo' });
  await readings.saveAll(
    Array.from({ length: 320 }, (_, index) => ({ id: `2026-11-20T${index}`, text: 'ok' })),
    { priority: 'low' },
  );
  answers.set('tunnel-7', 'hang');
  void backend.sync({ reason: 'foreground' });
  await runtime.advance(40);
  await untilShown(
    (root) => root.querySelectorAll('.row[data-state=dead]').length === 2,
    (root) => root.querySelector('.runs') !== null,
    (root) => root.textContent?.includes('tunnel-7') === true,
    (root) => root.textContent?.includes('2026-11-20T') === true,
  );
}

function outcomeOf(answer: 'reject' | 'fail' | 'conflict' | 'hang' | undefined) {
  const at = 0;
  if (answer === 'reject')
    return {
      kind: 'rejected',
      failure: { code: 'remote/rejected', status: 422, detail: 'inspector licence expired', at },
    } as const;
  if (answer === 'fail')
    return {
      kind: 'retry',
      scope: 'entry',
      ambiguous: true,
      failure: { code: 'remote/server', status: 500, at },
    } as const;
  if (answer === 'conflict')
    return {
      kind: 'conflict',
      remote: { id: 'gate-9', text: 'Lock replaced' },
      version: 'v9',
    } as const;
  return undefined;
}

/** What axe finds serious or worse, as short texts. */
export async function seriousIssues(): Promise<string[]> {
  const { violations } = await axe.run(document, {
    resultTypes: ['violations'],
    // The page around the inspector is nobody's app.
    rules: { region: { enabled: false }, 'page-has-heading-one': { enabled: false } },
  });
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 140)).join(' | ')}`);
}
