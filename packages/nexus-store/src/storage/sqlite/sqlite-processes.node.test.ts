import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { globSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Storage, StorageSchema } from '../../core/ports/storage.ts';
import { sqliteStorage } from './index.ts';

const SCHEMA: StorageSchema = {
  version: 1,
  tables: { notes: { columns: { id: 'integer', text: 'text' }, key: ['id'] } },
};

let folder: string;
let path: string;
let children: ChildProcess[];
let opened: Storage[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nexus-processes-'));
  path = join(folder, 'store.db');
  children = [];
  opened = [];
});

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  for (const storage of opened) await storage.close();
  rmSync(folder, { recursive: true });
});

describe('a file that another process has locked', () => {
  test('a write fails as busy when its patience ends, and reads go on', async () => {
    const storage = await open('300ms');
    await increment(storage);
    await lockElsewhere();

    const writing = increment(storage);
    const isRead = await Promise.race([counter(storage), writing.catch(() => 'busy first')]);

    expect(isRead).toBe(1);
    await expect(writing).rejects.toMatchObject({ code: 'storage/busy' });
    expect(await counter(storage)).toBe(1);
  });

  test('a write waits for the lock without blocking the event loop', async () => {
    const storage = await open('10s');
    const release = await lockElsewhere();
    let ticks = 0;
    let longestMs = 0;
    let lastAt = performance.now();
    const timer = setInterval(() => {
      ticks += 1;
      longestMs = Math.max(longestMs, performance.now() - lastAt);
      lastAt = performance.now();
      if (ticks === 50) release();
    }, 5);

    await increment(storage);

    clearInterval(timer);
    expect(ticks).toBeGreaterThanOrEqual(50);
    expect(longestMs).toBeLessThan(100);
    expect(await counter(storage)).toBe(1);
  });

  test('opening a new database waits for the lock as well', async () => {
    const release = await lockElsewhere();

    const opening = open('10s');
    setTimeout(release, 50);

    expect(await counter(await opening)).toBe(0);
  });
});

describe('several processes on one file', () => {
  test('all make progress and lose no update', async () => {
    const storage = await open('30s');
    const script = `for (let i = 0; i < 150; i += 1) await increment(); await storage.close();`;
    const running = [1, 2, 3].map(async () => {
      const [code] = (await once(run(script), 'exit')) as [number];
      return code;
    });

    for (let i = 0; i < 50; i += 1) await increment(storage);

    expect(await Promise.all(running)).toEqual([0, 0, 0]);
    expect(await counter(storage)).toBe(500);
  }, 60_000);

  test('what a killed process was told is written stays written', async () => {
    const child = run(`for (;;) { await increment(); console.log('done'); }`);
    let told = 0;
    for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
      if (line === 'done') told += 1;
      if (told === 200) child.kill('SIGKILL');
    }

    const found = await counter(await open('10s'));

    expect(told).toBeGreaterThanOrEqual(200);
    expect(found).toBeGreaterThanOrEqual(told);
    // One more may have been committed before it could be told.
    expect(found).toBeLessThanOrEqual(told + 1);
  });
});

const oldNode = findOldNode();

describe('a Node that is too old', () => {
  test.skipIf(oldNode === undefined).each([
    ['node:sqlite', '', /sqliteStorage needs Node 22\.13 or newer, and this is Node \d+/],
    [
      'better-sqlite3',
      `import { createRequire } from 'node:module';
       const Database = createRequire(${JSON.stringify(import.meta.url)})('better-sqlite3');
       options.client = betterSqlite3Client(Database);`,
      /better-sqlite3 needs Node 22.14 or newer .* this is Node \d+/,
    ],
  ])('gets a readable error instead of a crash from %s', (_, setUp, message) => {
    const library = stripped();
    const script = `
      import { betterSqlite3Client, sqliteStorage } from ${JSON.stringify(library)};
      const options = { path: ${JSON.stringify(path)} };
      ${setUp}
      await sqliteStorage(options).open({ version: 1, tables: {} })
        .catch((error) => console.log(JSON.stringify([error.code, error.message])));
    `;

    const result = spawnSync(oldNode as string, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
    });

    expect(result).toMatchObject({ signal: null, status: 0 });
    const [code, text] = JSON.parse(result.stdout) as [string, string];
    expect(code).toBe('usage/unsupported-runtime');
    expect(text).toMatch(message);
    expect(text).toContain('Install Node 24');
    expect(existsSync(path)).toBe(false);
  });
});

async function open(busyTimeout: '300ms' | '10s' | '30s'): Promise<Storage> {
  const storage = sqliteStorage({ path, busyTimeout });
  opened.push(storage);
  await storage.open(SCHEMA);
  return storage;
}

async function increment(storage: Storage): Promise<void> {
  await storage.transact('write', async (tx) => {
    const [record] = await tx.get('notes', [[1]]);
    const text = String(Number(record?.['text'] ?? 0) + 1);
    await tx.write([{ table: 'notes', put: { id: 1, text } }]);
  });
}

async function counter(storage: Storage): Promise<number> {
  const [record] = await storage.transact('read', async (tx) => await tx.get('notes', [[1]]));
  return Number(record?.['text'] ?? 0);
}

/** Runs a script in another process, with a storage on the same file. */
function run(script: string): ChildProcess {
  const entry = JSON.stringify(new URL('./index.ts', import.meta.url).href);
  const source = `
    import { sqliteStorage } from ${entry};
    const storage = sqliteStorage({ path: ${JSON.stringify(path)}, busyTimeout: '30s' });
    await storage.open(${JSON.stringify(SCHEMA)});
    ${increment.toString().replace('(storage)', '()')}
    ${script}
  `;
  return start(source);
}

function start(source: string): ChildProcess {
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  return child;
}

/** Another process takes the write lock and keeps it until it is told to let go. */
async function lockElsewhere(): Promise<() => void> {
  const child = start(`
    import { DatabaseSync } from 'node:sqlite';
    const database = new DatabaseSync(${JSON.stringify(path)});
    database.exec('BEGIN EXCLUSIVE');
    console.log('locked');
    process.stdin.once('data', () => { database.close(); process.exit(); });
  `);
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return () => void child.stdin?.write('go\n');
}

/** A Node before 22 that is installed on this machine, wherever npm's own paths do not hide it. */
function findOldNode(): string | undefined {
  const places = (process.env['PATH'] ?? '').split(delimiter);
  return places
    .map((place) => join(place, 'node'))
    .filter((file) => existsSync(file))
    .find((file) => {
      const version = execFileSync(file, ['--version'], { encoding: 'utf8' });
      return Number(version.slice(1).split('.')[0]) < 22;
    });
}

/** The sources as plain JavaScript, because an old Node does not read TypeScript. Returns the entry. */
function stripped(): string {
  const source = join(import.meta.dirname, '../..');
  const files = globSync(['core/**/*.ts', 'storage/sqlite/*.ts'], { cwd: source });
  for (const file of files.filter((name) => !/\.(test|d)\.ts$/.test(name))) {
    const target = join(folder, 'library', file.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(target), { recursive: true });
    const code = stripTypeScriptTypes(readFileSync(join(source, file), 'utf8'));
    writeFileSync(target, code.replaceAll(/(from\s+'[^']+)\.ts'/g, "$1.js'"));
  }
  writeFileSync(join(folder, 'library/package.json'), '{"type":"module"}');
  return join(folder, 'library/storage/sqlite/index.js');
}
