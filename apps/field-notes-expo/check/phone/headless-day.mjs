// What a phone does with the bundle while nobody looks: notes wait in the database that an earlier process left, the
// system starts the app for a run, and the reference server has them afterwards, once. Then the network is gone, and
// a run in another process says so.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { HeadlessApp } from './headless-app.mjs';

const root = join(import.meta.dirname, '../../../..');
const ours = (path) => import(pathToFileURL(join(root, path)).href);
const FILE = 'field-notes.db';
const PATIENCE_MS = 30_000;

/**
 * @param {object} options
 * @param {string} options.script
 * @param {'android' | 'ios'} options.platform
 * @param {string} options.folder
 * @param {string} options.id of the background sync
 * @returns {Promise<string>} what happened
 */
export async function liveHeadless({ script, platform, folder, id }) {
  const { hermesContext } = await ours('packages/react-native/src/fake/hermes-context.ts');
  const { serve } = await ours('packages/server/src/index.ts');
  mkdirSync(folder, { recursive: true });
  await writeAsAnEarlierProcess(folder, ['a', 'b', 'c']);
  const server = await serve({
    database: ':memory:',
    port: 0,
    authenticate: { demo: 'ada' },
    closeTimeoutMs: 100,
  });
  const apps = [];
  try {
    const start = (to) => {
      const route = (url) => url.replace('http://localhost:8787', to);
      const app = new HeadlessApp({ context: hermesContext({}), script, platform, folder, route });
      apps.push(app);
      return app;
    };
    const wakeUp = (runId) => ({
      ...{ id, runId, attempt: 1, reason: 'scheduled', appState: 'headless' },
      deadline: Date.now() + PATIENCE_MS,
    });
    const first = start(server.url);
    const answer = await within(first.run(wakeUp('first')), first);
    expect(answer?.result === 'success', `the first run answered ${JSON.stringify(answer)}`, first);
    const arrived = (await rowsOn(server)).map((row) => row.id).sort();
    expect(arrived.join() === 'a,b,c', `the server has ${arrived.join() || 'nothing'}`, first);
    expect(first.badges.at(-1) === 0, `the badge shows ${first.badges.at(-1)}`, first);
    expect(
      first.asked.some((request) => request.id === id),
      'no periodic run was asked for',
      first,
    );
    first.kill();

    await writeAsAnEarlierProcess(folder, ['d']);
    const second = start('http://127.0.0.1:9');
    const offline = await within(second.run(wakeUp('second')), second);
    expect(
      offline?.runId === 'second',
      `the second run answered ${JSON.stringify(offline)}`,
      second,
    );
    expect(second.badges.at(-1) === 1, `offline the badge shows ${second.badges.at(-1)}`, second);
    second.kill();
    const [one, two] = await journal(folder, id);
    expect(
      one?.pushed === 3 && one.appState === 'headless',
      `journal: ${JSON.stringify(one)}`,
      first,
    );
    expect(two?.stoppedBy === 'offline', `journal: ${JSON.stringify(two)}`, second);
    return '3 notes sent in a headless run, a fourth kept without a network';
  } finally {
    for (const app of apps) app.kill();
    await server.close();
  }
}

function expect(holds, message, app) {
  if (!holds) throw new Error([message, ...app.said].join('\n'));
}

/** @template T @param {Promise<T>} promise @param {HeadlessApp} app @returns {Promise<T>} */
async function within(promise, app) {
  let timer;
  const late = new Promise((_, reject) => {
    const fail = () => reject(new Error(['no result', ...app.said].join('\n')));
    timer = setTimeout(fail, PATIENCE_MS + 5_000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The app's database as Node's driver reads and writes it: the tables are the same. */
async function opened(folder) {
  const { createBackend, NexusStore } = await ours('packages/nexus-store/src/index.ts');
  const { sqliteStorage, nodeSqliteClient } = await ours(
    'packages/nexus-store/src/storage/sqlite/index.ts',
  );
  const storage = sqliteStorage({ path: join(folder, FILE), client: nodeSqliteClient() });
  const backend = createBackend({ storage, autoSync: false });
  return {
    backend,
    notes: new NexusStore({ backend, collection: 'notes', indexes: ['changedAt'] }),
  };
}

async function writeAsAnEarlierProcess(folder, ids) {
  const { backend, notes } = await opened(folder);
  for (const id of ids)
    await notes.save({ id, title: id, text: '', changedAt: 1 }, { priority: 'critical' });
  await backend.close();
}

async function journal(folder, id) {
  const { BackgroundSyncService, noOpScheduler } = await ours('packages/nexus-store/src/index.ts');
  const { backend } = await opened(folder);
  const service = new BackgroundSyncService(backend.runtime, {
    scheduler: noOpScheduler,
    backend,
    id,
  });
  const records = await service.history();
  await backend.close();
  return records;
}

async function rowsOn(server) {
  const headers = { authorization: 'Bearer demo' };
  const answer = await fetch(`${server.url}/v1/pull?collection=notes&limit=100`, { headers });
  return (await answer.json()).rows;
}
