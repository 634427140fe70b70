import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { COMMANDS } from './commands/all.ts';
import { BIN, CliFolder } from './testing/run-cli.ts';

let folder: CliFolder;
beforeEach(() => {
  folder = new CliFolder();
});
afterEach(() => folder.remove());

describe('the command line', () => {
  test('shows its commands without any argument', async () => {
    const { code, stdout, stderr } = await folder.run([]);

    expect(code).toBe(0);
    expect(stderr).toBe('');
    for (const { name } of COMMANDS) expect(stdout).toContain(`  ${name} `);
  });

  test('prints its version', async () => {
    const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
    const { version } = JSON.parse(text) as { version: string };

    expect(await folder.run(['--version'])).toEqual({
      code: 0,
      stdout: `${version}\n`,
      stderr: '',
    });
    expect(await folder.json(['--version'])).toEqual({ version });
  });

  test('explains each command, and names each of its options', async () => {
    for (const command of COMMANDS) {
      const { code, stdout } = await folder.run(['help', command.name]);

      expect(code).toBe(0);
      for (const option of Object.keys(command.options)) expect(stdout).toContain(`--${option} `);
    }
    const { stdout } = await folder.run(['import', '--help']);
    expect(stdout).toContain('nexus-store import FILE');
  }, 30_000);

  test.each([
    [['imprt'], 'usage/unknown-command', 'did you mean import?'],
    [['frobnicate'], 'usage/unknown-command', 'nexus-store help'],
    [['--db', 'x.db'], 'usage/unknown-command', 'the command comes first'],
    [['status', '--colour'], 'usage/unknown-option', '--colour'],
    [['status', '--db'], 'usage/missing-argument', '--db'],
    [['status', '--db='], 'usage/invalid-argument', '--db'],
    [['status', '--check=yes'], 'usage/invalid-argument', '--check'],
    [['status', 'extra'], 'usage/invalid-argument', 'extra'],
    [['import'], 'usage/missing-argument', 'FILE'],
    [['import', 'x.ndjson'], 'usage/missing-argument', '--collection'],
    [
      ['import', 'x.ndjson', '--collection', 'c', '--priority', 'urgent'],
      'usage/unknown-priority',
      'urgent',
    ],
    [
      ['import', 'x.ndjson', '--collection', 'c', '--priority-map', 'a=low'],
      'usage/missing-argument',
      '--priority-from',
    ],
    [
      ['import', 'x.ndjson', '--collection', 'c', '--priority-from', 'f', '--priority-map', 'low'],
      'usage/invalid-argument',
      'low',
    ],
    [['sync'], 'usage/missing-argument', '--url'],
    [
      ['sync', '--url', 'http://localhost:1', '--budget', 'soon'],
      'usage/invalid-argument',
      '--budget',
    ],
    [['sync', '--url', '127.0.0.1:8787'], 'usage/invalid-argument', '--url must be an absolute'],
    [['sync', '--url', 'http://me:pw@a'], 'usage/invalid-argument', '--url must not hold'],
    [['daemon', '--url', 'ftp://a'], 'usage/invalid-argument', '--url must be an absolute'],
    [
      ['sync', '--url', 'http://localhost:1', '--timeout', '0s'],
      'usage/invalid-argument',
      '--timeout must be more',
    ],
    ...['0s', '31d'].map((interval): [string[], string, string] => [
      ['daemon', '--db', 'none.db', '--url', 'http://localhost:1', '--interval', interval],
      'usage/invalid-argument',
      '--interval must be more than nothing',
    ]),
    [['sync', '--token', 'secret'], 'usage/unknown-option', 'environment or a file'],
    [['serve'], 'usage/missing-argument', 'NEXUS_STORE_TOKENS'],
    [['retry'], 'usage/missing-argument', '--all'],
    [['discard'], 'usage/missing-argument', 'ID'],
  ])('%j is refused with exit code 2 and one line that helps', async (args, code, hint) => {
    const plain = await folder.run(args);
    const { error } = (await folder.json(args)) as { error: { code: string; message: string } };

    expect(plain).toMatchObject({ code: 2, stdout: '' });
    expect(plain.stderr).toMatch(/^nexus-store: [^\n]+\n$/);
    expect(plain.stderr).toContain(hint);
    expect(error.code).toBe(code);
    expect(plain.stderr).toContain(error.message);
  });

  test('a token that no header can carry is refused without being shown', async () => {
    const { code, stdout, stderr } = await folder.run(['sync', '--url', 'http://localhost:1'], {
      env: { NEXUS_STORE_TOKEN: 'very-\nsecret' },
    });

    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^nexus-store: the token holds [^\n]+\n$/);
    expect(stderr).not.toContain('secret');
  });

  test('a token on the command line is not repeated', async () => {
    const { stderr } = await folder.run(['sync', '--token', 'very-secret']);

    expect(stderr).not.toContain('very-secret');
  });

  test.each([
    ['status'],
    ['inspect'],
    ['export'],
    ['retry', '--all'],
    ['discard', 'e1'],
    ['cancel', 'e1'],
  ])('%s says that there is no database, and makes none', async (...args) => {
    const { code, stderr } = await folder.run([...args, '--db', 'missing.db']);

    expect(code).toBe(1);
    expect(stderr).toContain('there is no database missing.db');
    expect(() => readFileSync(folder.file('missing.db'))).toThrow();
  });

  test('a file that is no database is refused and left as it is', async () => {
    const text = 'these are notes, not a database, and they matter to somebody. '.repeat(40);
    writeFileSync(folder.file('notes.txt'), text);

    const { error } = (await folder.json(['status', '--db', 'notes.txt'])) as never;

    expect(error).toMatchObject({ code: 'storage/corrupt' });
    expect(readFileSync(folder.file('notes.txt'), 'utf8')).toBe(text);
  });

  test('a stack trace is shown only on request', async () => {
    const quiet = await folder.run(['status']);
    const loud = await folder.run(['status'], { env: { NEXUS_STORE_DEBUG: '1' } });

    expect(quiet.stderr).not.toMatch(/\n\s+at /);
    expect(loud.stderr).toMatch(/\n\s+at /);
  });

  test('a reader that has seen enough ends the command quietly', () => {
    const result = spawnSync(
      'sh',
      ['-c', `"${process.execPath}" --conditions=nexus-source "${BIN}" help | head -1`],
      { encoding: 'utf8' },
    );

    expect(result.stderr).toBe('');
  });
});

describe('an old Node', () => {
  const pretend = (version: string, args: readonly string[]) =>
    spawnSync(
      process.execPath,
      [
        '-e',
        `Object.defineProperty(process.versions, 'node', { value: '${version}' }); require(${JSON.stringify(BIN)})`,
        '--',
        ...args,
      ],
      { encoding: 'utf8' },
    );

  test.each(['12.22.12', '20.20.2', '22.12.0'])('%s is told what is needed', (version) => {
    const { status, stdout, stderr } = pretend(version, []);

    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^nexus-store: nexus-store needs Node 22\.13 or newer.*\n$/);
    expect(stderr).toContain(version);
  });

  test('gets JSON if it asked for it', () => {
    const { stdout } = pretend('18.0.0', ['status', '--json']);

    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'cli/unsupported-node' } });
  });

  test('can read the entry file: it uses nothing newer than 2015', () => {
    const code = readFileSync(BIN, 'utf8').replaceAll(/^\s*\/[/*].*$/gm, '');

    expect(code).not.toMatch(/=>|\?\?|\?\.|`|\basync\b|\bawait\b|\bclass\b|\.\.\./);
  });
});
