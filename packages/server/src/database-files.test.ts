import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createBackend } from 'nexus-store';
import { PROTOCOL_CONTENT_TYPE } from 'nexus-store/http';
import { sqliteStorage } from 'nexus-store/sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createReceiver, serve, StoreFailure, type RunningServer } from './index.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nexus-server-files-'));
  path = join(folder, 'server.db');
});
afterEach(() => rmSync(folder, { recursive: true }));

const start = (database = path): Promise<RunningServer> =>
  serve({ database, port: 0, authenticate: { t: 'u' }, busyTimeoutMs: 20 });

async function push(server: RunningServer, key: string, payload: unknown = 1): Promise<Response> {
  const operation = {
    id: 'e',
    idempotencyKey: key,
    collection: 'c',
    entityId: key,
    operation: 'create',
    payload,
  };
  return fetch(`${server.url}/v1/push`, {
    method: 'POST',
    headers: { authorization: 'Bearer t', 'content-type': PROTOCOL_CONTENT_TYPE },
    body: JSON.stringify({ protocol: 1, operations: [operation] }),
  });
}

async function filled(): Promise<void> {
  const server = await start();
  for (let n = 0; n < 20; n += 1) await push(server, `k${n}`, 'x'.repeat(2_000));
  await server.close();
}

describe('a database that is not one to serve from is refused by kind, and stays as it is', () => {
  const refusals: Readonly<Record<string, [kind: string, make: () => unknown]>> = {
    'a text': ['corrupt', () => writeFileSync(path, 'Dear diary, '.repeat(1_000))],
    "another program's": [
      'foreign',
      () => {
        const database = new DatabaseSync(path);
        database.exec('CREATE TABLE photos (id INTEGER)');
        database.close();
      },
    ],
    "another program's with a version as ours": [
      'foreign',
      () => {
        const database = new DatabaseSync(path);
        database.exec('CREATE TABLE meta (name TEXT); PRAGMA user_version = 1');
        database.close();
      },
    ],
    "an app's": [
      'foreign',
      async () => {
        const backend = createBackend({ storage: sqliteStorage({ path }) });
        await backend.open();
        await backend.close();
      },
    ],
    'a newer one': [
      'too-new',
      async () => {
        await filled();
        const database = new DatabaseSync(path);
        database.exec('PRAGMA user_version = 99');
        database.close();
      },
    ],
    'a damaged one': [
      'corrupt',
      async () => {
        await filled();
        const bytes = readFileSync(path);
        bytes.fill(0xa5, 4_096, 8_192);
        writeFileSync(path, bytes);
      },
    ],
    'one cut off': [
      'corrupt',
      async () => {
        await filled();
        truncateSync(path, 5_000);
      },
    ],
    'a folder': ['unavailable', () => mkdirSync(path)],
  };

  test.each(Object.entries(refusals))('%s', async (name, [kind, make]) => {
    await make();
    const before = name === 'a folder' ? null : readFileSync(path);

    const failure = await start().catch((error: unknown) => error);

    expect(failure).toBeInstanceOf(StoreFailure);
    expect(failure).toMatchObject({ kind });
    expect((failure as Error).message).toMatch(/^the server's database: \w/);
    if (before !== null) expect(readFileSync(path).equals(before)).toBe(true);
  });

  test('one in a folder that is not there', async () => {
    const failing = start(join(folder, 'missing', 'server.db'));

    await expect(failing).rejects.toMatchObject({ kind: 'unavailable' });
  });

  test('a new one that another process has locked', async () => {
    const other = new DatabaseSync(path);
    other.exec('PRAGMA journal_mode = WAL; BEGIN IMMEDIATE');

    await expect(start()).rejects.toMatchObject({ kind: 'busy' });
    other.close();

    const server = await start();
    expect((await push(server, 'k')).status).toBe(200);
    await server.close();
  });
});

describe('two servers on one file', () => {
  /** A server in a process of its own; resolves with its URL. */
  async function other(): Promise<{ url: string; end: () => Promise<void> }> {
    const script = `
      const { serve } = await import(${JSON.stringify(new URL('index.ts', import.meta.url).pathname)});
      const server = await serve({ database: ${JSON.stringify(path)}, port: 0, authenticate: { t: 'u' } });
      console.log(server.url);`;
    const child = spawn(
      process.execPath,
      ['--conditions=nexus-source', '--input-type=module', '-e', script],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
    const end = async (): Promise<void> => {
      child.kill('SIGKILL');
      await once(child, 'close');
    };
    return { url: line.trim(), end };
  }

  test('apply what comes to both at once, each key once', async () => {
    const here = await serve({ database: path, port: 0, authenticate: { t: 'u' } });
    const there = await other();
    const keys = Array.from({ length: 60 }, (_, n) => `k${n}`);

    // Every key to both of them, as a client does that never heard the first answer.
    const answers = await Promise.all(
      keys.flatMap((key) => [push(here, key), push({ ...here, url: there.url }, key)]),
    );
    const statuses = await Promise.all(
      answers.map(async (answer) => (await answer.json()) as { results: [{ status: string }] }),
    );

    expect(new Set(statuses.map(({ results: [{ status }] }) => status))).toEqual(
      new Set(['applied']),
    );
    const arrivals = await here.receiver.arrivals('u');
    expect(arrivals).toHaveLength(keys.length);
    expect(new Set(arrivals.map(({ idempotencyKey }) => idempotencyKey))).toEqual(new Set(keys));
    await there.end();
    await here.close();
  });

  test('one waits for the lock of another without making others wait for it', async () => {
    const server = await serve({ database: path, port: 0, authenticate: { t: 'u' } });
    const lock = new DatabaseSync(path);
    lock.exec('BEGIN IMMEDIATE');

    const waiting = push(server, 'k');
    const health = await fetch(`${server.url}/health`);
    lock.exec('COMMIT');

    expect(health.status).toBe(200);
    expect((await waiting).status).toBe(200);
    lock.close();
    await server.close();
  });
});

test('a failure of the database is told to the owner, and to clients only that the server failed', async () => {
  const heard: unknown[] = [];
  const database = new DatabaseSync(path);
  const receiver = createReceiver({
    database,
    authenticate: { t: 'u' },
    onError: (error) => heard.push(error),
  });
  const other = new DatabaseSync(path);
  other.exec('DROP TABLE rows');
  other.close();

  const headers = { authorization: 'Bearer t' };
  const response = await receiver(new Request('http://a/v1/pull?collection=c', { headers }));

  expect(response.status).toBe(500);
  expect(await response.text()).not.toContain('rows');
  expect(heard).toMatchObject([
    { kind: 'failed', message: expect.stringContaining('no such table') as string },
  ]);
  await receiver.close();
});
