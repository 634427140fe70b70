import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { serve, type RunningServer } from '@nexus-store/server';
import { createBackend, NexusStore } from 'nexus-store';
import { sqliteStorage } from 'nexus-store/sqlite';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CliFolder } from '../testing/run-cli.ts';

/** Real processes share two cores with other tests. */
vi.setConfig({ testTimeout: 30_000 });

const TOKEN = 'a-very-secret-token';
const env = { NEXUS_STORE_TOKEN: TOKEN };

let folder: CliFolder;
let server: RunningServer;
beforeEach(async () => {
  folder = new CliFolder();
  server = await serve({
    database: ':memory:',
    port: 0,
    authenticate: { [TOKEN]: 'user' },
    forbids: ({ entityId }) => (entityId === 'forbidden' ? 'the rules say no' : undefined),
  });
});
afterEach(async () => {
  await server.close();
  folder.remove();
});

async function importRecords(...records: readonly object[]): Promise<void> {
  writeFileSync(
    folder.file('r.ndjson'),
    records.map((record) => JSON.stringify(record)).join('\n'),
  );
  await folder.run(['import', 'r.ndjson', '--collection', 'reports']);
}

/** Writes the ids of each list as one transaction. */
async function saveTogether(
  collection: string,
  ...transactions: readonly (readonly string[])[]
): Promise<void> {
  const backend = createBackend({
    storage: sqliteStorage({ path: folder.file('nexus-store.db') }),
    autoSync: false,
  });
  const store = new NexusStore<{ id: string }>({ backend, collection });
  for (const ids of transactions)
    await backend.transaction(async (tx) => {
      for (const id of ids) await tx.store(store).save({ id });
    });
  await backend.close();
}

const sync = (...options: string[]): string[] => ['sync', '--url', server.url, ...options];

async function deadLetterId(): Promise<string> {
  const { entries } = (await folder.json(['inspect', '--state', 'dead'])) as {
    entries?: readonly { id: string }[];
  };
  return entries?.[0]?.id ?? 'none';
}

async function portOfNobody(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

describe('sync', () => {
  test('sends everything and exits with 0', async () => {
    await importRecords({ id: 'a' }, { id: 'b' });

    const { code, stdout, stderr } = await folder.run(sync(), { env });

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('2 entries sent');
    expect(await server.receiver.arrivals('user')).toHaveLength(2);
    const status = await folder.json(['status']);
    expect(status).toMatchObject({ waiting: 0, lastSyncedAt: expect.any(Number) });
    expect((await folder.run(['status'])).stdout).toContain('last synced');
  });

  test.each(['constructor', '__proto__'])(
    'sends and fetches a collection that is called %s like any other',
    async (collection) => {
      writeFileSync(folder.file('r.ndjson'), '{"id":"a"}\n');
      await folder.run(['import', 'r.ndjson', '--collection', collection]);

      const sent = await folder.json(sync(), { env });
      const fetched = await folder.json(sync('--pull', collection), { env });

      expect(sent).toMatchObject({ pushed: 1, remaining: 0 });
      expect(fetched).toMatchObject({ stoppedBy: 'drained' });
      expect(await server.receiver.arrivals('user')).toMatchObject([{ collection }]);
    },
  );

  test('takes the token from a file', async () => {
    await importRecords({ id: 'a' });
    writeFileSync(folder.file('token'), `${TOKEN}\n`);

    const report = await folder.json(sync('--token-file', 'token'));

    expect(report).toMatchObject({ pushed: 1, stoppedBy: 'drained', remaining: 0 });
  });

  test('keeps the token out of the database and of what it prints', async () => {
    await importRecords({ id: 'a' });

    const { stdout, stderr } = await folder.run(sync(), { env });

    const kept = readFileSync(folder.file('nexus-store.db')).toString('latin1');
    expect(kept + stdout + stderr).not.toContain(TOKEN);
  });

  test('exits with 3 when the server cannot be reached, and keeps what waits', async () => {
    await importRecords({ id: 'a' });
    const args = ['sync', '--url', `http://127.0.0.1:${await portOfNobody()}`];

    const { code, stdout } = await folder.run(args, { env });
    const report = await folder.json(args, { env });

    expect(code).toBe(3);
    expect(stdout).toContain('the server could not be reached');
    expect(stdout).toContain('1 entry left, safe in the queue');
    expect(report).toMatchObject({ stoppedBy: 'offline', remaining: 1 });
    // 5 on a machine so slow that the wait after the failure is over before the next process starts.
    expect([3, 5]).toContain((await folder.run(['status', '--check'])).code);
  });

  test('exits with 3 when the server refuses the credentials', async () => {
    await importRecords({ id: 'a' });

    const { code, stdout } = await folder.run(sync(), { env: { NEXUS_STORE_TOKEN: 'wrong' } });

    expect(code).toBe(3);
    expect(stdout).toContain('NEXUS_STORE_TOKEN');
    expect((await folder.run(sync(), { env })).code).toBe(0);
  });

  test('exits with 4 when a write was rejected for good', async () => {
    await importRecords({ id: 'a' }, { id: 'forbidden' });

    const { code, stdout } = await folder.run(sync(), { env });

    expect(code).toBe(4);
    expect(stdout).toContain('1 dead letter');
    expect((await folder.run(['status', '--check'])).code).toBe(4);
  });

  test('exits with 5 when the budget ends first', async () => {
    await importRecords({ id: 'a' });

    const { code, stdout } = await folder.run(sync('--budget', '1ms'), { env });

    expect(code).toBe(5);
    expect(stdout).toContain('the budget is used up');
  });
});

describe('status', () => {
  test('counts what waits by priority', async () => {
    await importRecords({ id: 'a' }, { id: 'b' });

    const { stdout } = await folder.run(['status']);
    const status = await folder.json(['status']);

    expect(stdout).toContain('2 entries (normal 2)');
    expect(status).toMatchObject({ waiting: 2, pending: { normal: 2, low: 0 }, dead: 0 });
    expect((await folder.run(['status', '--check'])).code).toBe(5);
  });

  test('works, as inspect does, on a database that cannot be written', async (context) => {
    const isRoot = process.getuid?.() === 0;
    if (process.platform === 'win32') context.skip('permissions work differently there');
    await importRecords({ id: 'a' });
    chmodSync(folder.file('nexus-store.db'), 0o444);
    chmodSync(folder.path, 0o555);
    const asNobody = isRoot ? { uid: 65_534 } : {};

    const status = await folder.json(['status'], asNobody);
    const list = await folder.json(['inspect'], asNobody);
    const retry = await folder.json(['retry', '--all'], asNobody);
    chmodSync(folder.path, 0o755);

    expect(status).toMatchObject({ waiting: 1, isReadOnly: true });
    expect(list).toMatchObject({ total: 1 });
    expect(retry).toMatchObject({ error: { code: 'storage/read-only' } });
  });
});

describe('inspect', () => {
  test('lists by priority, without what was written', async () => {
    writeFileSync(folder.file('r.csv'), 'id,p,secret\na,low,hunter2\nb,critical,hunter2\n');
    await folder.run(['import', 'r.csv', '--collection', 'reports', '--priority-from', 'p']);

    const { stdout } = await folder.run(['inspect']);
    const { stdout: withPayload } = await folder.run(['inspect', '--payload']);

    expect(stdout.indexOf('reports/b')).toBeLessThan(stdout.indexOf('reports/a'));
    expect(stdout).not.toContain('hunter2');
    expect(withPayload).toContain('hunter2');
    expect(JSON.stringify(await folder.json(['inspect']))).not.toContain('hunter2');
  });

  test('filters, and shows no more than the limit', async () => {
    await importRecords({ id: 'a' }, { id: 'b' }, { id: 'c' });

    const { stdout } = await folder.run(['inspect', '--limit', '2']);

    expect(stdout).toContain('3 entries');
    expect(stdout).toContain('1 more');
    expect(await folder.json(['inspect', '--limit', '2'])).toMatchObject({ total: 3 });
    expect(await folder.json(['inspect', '--priority', 'low'])).toMatchObject({ total: 0 });
    expect(await folder.json(['inspect', '--state', 'dead'])).toMatchObject({ total: 0 });
    expect(await folder.json(['inspect', '--collection', 'x'])).toMatchObject({ total: 0 });
  });

  test('makes text from the data harmless for the terminal', async () => {
    await importRecords({ id: 'a\u001B[2J\u202Eb' });

    const { stdout } = await folder.run(['inspect']);

    expect(stdout).not.toContain('\u001B');
    expect(stdout).not.toContain('\u202E');
  });

  test('shows one entry, and says when there is none', async () => {
    await importRecords({ id: 'a' });

    const { stdout } = await folder.run(['inspect', 'e1']);
    const missing = await folder.run(['inspect', 'e99']);

    expect(stdout).toContain('reports/a');
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain('there is no entry e99');
  });
});

describe('a dead letter', () => {
  beforeEach(async () => {
    await importRecords({ id: 'forbidden', text: 'hunter2' });
    await folder.run(sync(), { env });
  });

  test('is inspected without the words of the server, unless asked for', async () => {
    const id = await deadLetterId();

    const { stdout } = await folder.run(['inspect', id]);
    const { stdout: full } = await folder.run(['inspect', id, '--payload']);

    expect(stdout).toContain('dead');
    expect(stdout).not.toContain('hunter2');
    expect(full).toContain('hunter2');
    expect(full).toContain('the rules say no');
  });

  test('is retried by its id, or with all', async () => {
    const one = await folder.json(['retry', await deadLetterId()]);
    await folder.run(sync(), { env });
    const all = await folder.json(['retry', '--all']);

    expect(one).toMatchObject({ result: 'queued' });
    expect(all).toEqual({ retried: 1 });
    expect(await folder.json(['status'])).toMatchObject({ dead: 0, waiting: 1 });
  });

  test('is discarded', async () => {
    const id = await deadLetterId();

    const { code } = await folder.run(['discard', id]);

    expect(code).toBe(0);
    expect(await folder.json(['status'])).toMatchObject({ dead: 0, waiting: 0 });
    expect((await folder.run(['discard', id])).code).toBe(1);
  });

  test('is discarded with its transaction, and says so', async () => {
    await saveTogether('notes', ['a', 'forbidden', 'b']);
    await folder.run(sync(), { env });

    const { stdout } = await folder.run(['discard', 'e3']);
    const result = await folder.json(['discard', 'e1']);

    expect(stdout).toBe('e3 is gone, and with it the rest of its transaction: e2, e4\n');
    expect(result).toEqual({ id: 'e1', discarded: true, entries: ['e1'] });
    expect(await folder.json(['status'])).toMatchObject({ dead: 0, waiting: 0 });
  });

  test('is exported with its payload, to a file that is not overwritten', async () => {
    const { deadLetters } = (await folder.json(['export'])) as { deadLetters: unknown[] };
    const first = await folder.json(['export', '--out', 'dead.json']);
    const again = await folder.run(['export', '--out', 'dead.json']);
    const forced = await folder.run(['export', '--out', 'dead.json', '--force']);

    expect(deadLetters).toMatchObject([{ entityId: 'forbidden', payload: { text: 'hunter2' } }]);
    expect(first).toEqual({ file: 'dead.json', deadLetters: 1 });
    expect(again).toMatchObject({ code: 1 });
    expect(again.stderr).toContain('--force');
    expect(forced.code).toBe(0);
    expect(JSON.parse(readFileSync(folder.file('dead.json'), 'utf8'))).toMatchObject({
      deadLetters: [{}],
    });
  });
});

describe('cancel', () => {
  test('takes back what was not sent', async () => {
    await importRecords({ id: 'a' });

    const result = await folder.json(['cancel', 'e1']);

    expect(result).toEqual({ id: 'e1', result: 'cancelled', entries: ['e1'] });
    expect(await folder.json(['status'])).toMatchObject({ waiting: 0 });
    expect((await folder.run(['cancel', 'e1'])).stderr).toContain('there is no entry e1');
  });

  test('says that the transaction goes with its entry', async () => {
    await saveTogether('reports', ['a', 'b', 'c'], ['d', 'e']);

    const { stdout } = await folder.run(['cancel', 'e2']);
    const result = await folder.json(['cancel', 'e4']);

    expect(stdout).toBe('e2 is cancelled, and with it the rest of its transaction: e1, e3\n');
    expect(result).toEqual({ id: 'e4', result: 'cancelled', entries: ['e4', 'e5'] });
    expect(await folder.json(['status'])).toMatchObject({ waiting: 0 });
  });

  test('says why it cannot: the server may have it already', async () => {
    await importRecords({ id: 'a' });
    const mute = createServer((socket) => socket.once('data', () => socket.destroy()));
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    const { port } = mute.address() as AddressInfo;
    await folder.run(['sync', '--url', `http://127.0.0.1:${port}`]);
    mute.close();

    const { code, stderr } = await folder.run(['cancel', 'e1']);

    expect(code).toBe(1);
    expect(stderr).toContain('the server may have it already');
  });

  test('an entry that waits is no dead letter to discard', async () => {
    await importRecords({ id: 'a' });

    const { code, stderr } = await folder.run(['discard', 'e1']);

    expect(code).toBe(1);
    expect(stderr).toContain('nexus-store cancel e1');
  });
});
