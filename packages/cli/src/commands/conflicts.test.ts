import { writeFileSync } from 'node:fs';
import { createBackend, NexusStore } from 'nexus-store';
import { httpRemote } from 'nexus-store/http';
import { sqliteStorage } from 'nexus-store/sqlite';
import { serve, type RunningServer } from '@nexus-store/server';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CliFolder } from '../testing/run-cli.ts';

/** Real processes share two cores here. */
const TIMEOUT_MS = 60_000;
const env = { NEXUS_STORE_TOKEN: 't' };
const OURS = { id: 'a', text: 'ours', size: 1 };
const THEIRS = { id: 'a', text: 'theirs', colour: 'red' };

let folder: CliFolder;
let server: RunningServer;
beforeEach(async () => {
  folder = new CliFolder();
  server = await serve({ database: ':memory:', port: 0, authenticate: { t: 'user' } });
});
afterEach(async () => {
  await server.close();
  folder.remove();
});

/** Runs an app with a store for reports, over the database of this name. */
async function inApp<R>(
  name: string,
  conflict: 'server-wins' | 'client-wins',
  use: (reports: NexusStore<object>, sync: () => Promise<unknown>) => Promise<R>,
): Promise<R> {
  const backend = createBackend({
    storage: sqliteStorage({ path: folder.file(name) }),
    remote: httpRemote({ url: server.url, headers: { authorization: 'Bearer t' }, events: false }),
    autoSync: false,
  });
  try {
    const reports = new NexusStore<object>({ backend, collection: 'reports', conflict });
    return await use(reports, () => backend.sync());
  } finally {
    await backend.close();
  }
}

/** Somebody else has made the row that this database has queued as its own. */
async function clash(): Promise<void> {
  await inApp('theirs.db', 'client-wins', async (reports, sync) => {
    await reports.save(THEIRS);
    await sync();
  });
  writeFileSync(folder.file('r.ndjson'), JSON.stringify(OURS));
  await folder.run(['import', 'r.ndjson', '--collection', 'reports', '--db', 'app.db']);
}

/** What the server has, as a new device sees it. */
function onServer(): Promise<unknown> {
  return inApp('new.db', 'client-wins', async (reports, sync) => {
    await sync();
    return reports.get('a', { policy: 'cache-only' });
  });
}

const sync = (...options: string[]): string[] => [
  'sync',
  '--db',
  'app.db',
  '--url',
  server.url,
  ...options,
];

test.each([
  ['sends', []],
  ['fetches as well', ['--pull', 'reports']],
])('a conflict is left to the app by a sync that %s', async (_, pull) => {
  await clash();

  const { code, stdout } = await folder.run(sync(...pull), { env });

  expect(code).toBe(4);
  expect(stdout).toContain('1 conflict');
  const { entries } = await folder.json(['inspect', '--db', 'app.db']);
  expect(entries).toMatchObject([{ state: 'conflict', lastFailure: { code: 'store/undecided' } }]);
  expect(await onServer()).toEqual(THEIRS);
  await inApp('app.db', 'server-wins', async (reports, syncApp) => {
    await syncApp();
    expect(await reports.pendingChanges()).toEqual([]);
    expect(await reports.get('a')).toEqual(THEIRS);
  });
  expect(await onServer()).toEqual(THEIRS);
});

test(
  '--conflicts decides those that were left to an app, and new ones',
  async () => {
    await clash();
    await folder.run(sync(), { env });

    const report = await folder.json(sync('--conflicts', 'merge-fields'), { env });

    expect(report).toMatchObject({ conflicts: 1, openConflicts: 0, remaining: 0 });
    expect(await onServer()).toEqual({ ...THEIRS, ...OURS });
  },
  TIMEOUT_MS,
);

test('--conflicts takes no strategy that only an app can have', async () => {
  await clash();

  const { code, stderr } = await folder.run(sync('--conflicts', 'manual'), { env });

  expect(code).toBe(2);
  expect(stderr).toContain(
    '--conflicts must be merge-fields, client-wins, server-wins, not manual',
  );
});
