import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test, vi, type TestContext } from 'vitest';
import { CliFolder } from '../testing/run-cli.ts';

const env = { NEXUS_STORE_TOKENS: 'secret=anna' };
const serve = ['serve', '--port', '0', '--db'];
const isRoot = process.getuid?.() === 0;

let folder: CliFolder;
beforeEach(() => {
  folder = new CliFolder();
  writeFileSync(folder.file('r.ndjson'), '{"id":"a"}\n');
  writeFileSync(folder.file('diary.db'), 'Dear diary, '.repeat(1_000));
  const photos = new DatabaseSync(folder.file('photos.db'));
  photos.exec('CREATE TABLE photos (id INTEGER)');
  photos.close();
  mkdirSync(folder.file('folder.db'));
});
const disks: string[] = [];
afterEach(() => {
  for (const disk of disks.splice(0)) execFileSync('umount', ['-l', disk]);
  folder.remove();
});

const importing = ['import', 'r.ndjson', '--collection', 'reports', '--db'];
/** Real processes share two cores with other tests. */
vi.setConfig({ testTimeout: 30_000 });

const NO_FILE = 'folder.db is a folder; name a database file with --db';

describe('a file that is no database of ours is said in one line, and stays as it is', () => {
  test.each([
    [serve, 'diary.db', 'storage/corrupt', 1, 'is damaged or no SQLite database'],
    [serve, 'photos.db', 'usage/invalid-argument', 2, 'belongs to another program'],
    [serve, 'folder.db', 'storage/unavailable', 1, NO_FILE],
    [serve, 'missing/x.db', 'storage/unavailable', 1, 'check that its folder is there'],
    [importing, 'diary.db', 'storage/corrupt', 1, 'Copy the file before anything else'],
    [importing, 'photos.db', 'usage/invalid-argument', 2, 'photos.db is the database of another'],
    [importing, 'folder.db', 'cli/no-database', 1, NO_FILE],
    [importing, 'missing/x.db', 'storage/unavailable', 1, 'there is no folder missing'],
    [['status', '--db'], 'diary.db', 'storage/corrupt', 1, 'Copy the file before anything else'],
    [['status', '--db'], 'photos.db', 'usage/invalid-argument', 2, 'name another with --db'],
  ])('%j %s: %s', async (command, file, code, exitCode, hint) => {
    const isFile = file === 'diary.db' || file === 'photos.db';
    const before = isFile ? readFileSync(folder.file(file)) : null;

    const said = await folder.run([...command, file], { env });
    const { error } = (await folder.json([...command, file], { env })) as {
      error: { code: string; message: string };
    };

    expect(said).toMatchObject({ code: exitCode, stdout: '' });
    expect(said.stderr).toMatch(/^nexus-store: [^\n]+\n$/);
    expect(said.stderr).toContain(hint);
    expect(said.stderr).not.toContain('bug in nexus-store');
    expect(said.stderr).toContain(error.message);
    expect(error.code).toBe(code);
    if (before !== null) expect(readFileSync(folder.file(file)).equals(before)).toBe(true);
  });

  test('an app’s database is none to serve from, nor a server’s one to import into', async () => {
    await folder.run([...importing, 'app.db']);
    const served = await folder.run([...serve, 'app.db'], { env });

    expect(served).toMatchObject({ code: 2, stdout: '' });
    expect(served.stderr).toContain('the database of an app, perhaps');
    expect(await folder.json(['status', '--db', 'app.db'])).toMatchObject({ waiting: 1 });
  });

  test('a folder that cannot be written', async () => {
    mkdirSync(folder.file('shelf'));
    chmodSync(folder.file('shelf'), 0o555);
    chmodSync(folder.path, 0o755);
    const asNobody = isRoot ? { uid: 65_534 } : {};

    const served = await folder.json([...serve, 'shelf/server.db'], { env, ...asNobody });
    const imported = await folder.json([...importing, 'shelf/app.db'], asNobody);

    expect(served).toMatchObject({
      error: { code: expect.stringMatching(/unavailable|read-only/) as string },
    });
    expect(imported).toMatchObject({ error: { code: 'storage/read-only' } });
  });
});

test('a full disk stops an import by code, and the same command goes on once there is room', async (context) => {
  const resize = smallDisk(folder.file('disk'), context);
  const records = Array.from(
    { length: 3_000 },
    (_, n) => `{"id":"${n}","text":"${'x'.repeat(500)}"}`,
  );
  writeFileSync(folder.file('many.ndjson'), records.join('\n'));
  const command = ['import', 'many.ndjson', '--collection', 'reports', '--db', 'disk/app.db'];

  const { code, stdout, stderr } = await folder.run(command);
  const { error } = (await folder.json(command)) as { error: { code: string } };
  resize('16m');
  const again = await folder.run(command);

  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(
    /^nexus-store: [^\n]+ Free some space and run the same command again[^\n]+\n$/,
  );
  expect(error.code).toBe('storage/quota-exceeded');
  expect(again.code).toBe(0);
  expect(await folder.json(['status', '--db', 'disk/app.db'])).toMatchObject({ waiting: 3_000 });
});

test('a server whose disk is full says so at the start', async (context) => {
  smallDisk(folder.file('disk'), context);
  const room = 1_048_576 - 8_192;
  writeFileSync(folder.file('disk/ballast'), Buffer.alloc(room));

  const { error } = (await folder.json([...serve, 'disk/server.db'], { env })) as {
    error: { code: string };
  };

  expect(error.code).toBe('storage/quota-exceeded');
  expect(statSync(folder.file('disk/ballast')).size).toBe(room);
});

/** A disk of one megabyte, which takes the right to mount. Returns how to make it larger. */
function smallDisk(at: string, { skip }: TestContext): (size: string) => void {
  mkdirSync(at);
  const mount = (...options: readonly string[]): void =>
    void execFileSync('mount', [...options, 'tmpfs', at], { stdio: 'ignore' });
  try {
    mount('-t', 'tmpfs', '-o', 'size=1m');
  } catch {
    skip('only who may mount can fill a disk');
  }
  disks.push(at);
  return (size) => mount('-t', 'tmpfs', '-o', `remount,size=${size}`);
}
