import { statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CliFolder } from '../testing/run-cli.ts';

let folder: CliFolder;
beforeEach(() => {
  folder = new CliFolder();
});
afterEach(() => folder.remove());

const into = ['--collection', 'reports'];

function write(name: string, content: string | Uint8Array): string {
  writeFileSync(folder.file(name), content);
  return name;
}

interface Listed {
  readonly total: number;
  readonly byPriority: Record<string, number>;
  readonly entries: readonly { entityId: string; priority: string; payload: unknown }[];
}

async function listed(...options: string[]): Promise<Listed> {
  const args = ['inspect', '--payload', '--limit', '1000', ...options];
  return (await folder.json(args)) as unknown as Listed;
}

describe('import', () => {
  test.each([
    ['ndjson', 'r.ndjson', '{"id":"a","n":1}\n\n{"id":"b","n":2}\r\n{"id":3}'],
    [
      'ndjson after a byte order mark',
      'r.jsonl',
      '\u{feff}{"id":"a","n":1}\n{"id":"b","n":2}\n{"id":3}\n',
    ],
    ['a JSON array', 'r.json', '[{"id":"a","n":1},\n {"id":"b","n":2} , {"id":3}]\n'],
    ['JSON objects one after another', 'r.json', '{"id":"a","n":1}\n{"id":"b","n":2} {"id":3}'],
  ])('saves the records of %s', async (_, name, content) => {
    const result = await folder.json(['import', write(name, content), ...into]);

    expect(result).toMatchObject({ saved: 3, unchanged: 0, invalid: 0, read: 3 });
    expect((await listed()).entries.map(({ payload }) => payload)).toEqual([
      { id: 'a', n: 1 },
      { id: 'b', n: 2 },
      { id: 3 },
    ]);
  });

  test('reads CSV: quotes, line breaks in fields, numbers on request', async () => {
    const csv = 'code,text,count,ok\r\n007,"a ""b"",\nc",12,true\r\nx,,1e5,\r\n';

    await folder.run(['import', write('r.csv', csv), ...into, '--id', 'code', '--typed']);

    expect((await listed()).entries.map(({ payload }) => payload)).toEqual([
      { code: '007', text: 'a "b",\nc', count: 12, ok: true },
      { code: 'x', text: null, count: '1e5', ok: null },
    ]);
  });

  test('reads tabs by the ending, and another delimiter on request', async () => {
    await folder.run(['import', write('a.tsv', 'id\tname\n1\tone\n'), ...into]);
    await folder.run(['import', write('b.csv', 'id;name\n2;two\n'), ...into, '--delimiter', ';']);

    expect((await listed()).entries.map(({ payload }) => payload)).toEqual([
      { id: '1', name: 'one' },
      { id: '2', name: 'two' },
    ]);
  });

  test('reads standard input', async () => {
    const args = ['import', '-', ...into, '--format', 'ndjson'];

    const { code, stdout } = await folder.run(args, { input: '{"id":"a"}\n' });

    expect(code).toBe(0);
    expect(stdout).toContain('1 record saved');
  });

  test('numbers the records of a file without ids', async () => {
    await folder.run(['import', write('r.csv', 'name\none\ntwo\n'), ...into, '--number-rows']);

    expect((await listed()).entries.map(({ entityId }) => entityId)).toEqual(['1', '2']);
  });

  test('takes the priority from a field', async () => {
    const lines = ['bad', 'worn', 'fine', '', null].map((state, id) =>
      JSON.stringify({ id, state }),
    );
    const map = ['--priority-from', 'state', '--priority-map', 'bad=critical,worn=high'];

    const result = await folder.json([
      'import',
      write('r.ndjson', lines.join('\n')),
      ...into,
      ...map,
      '--priority-map',
      '*=low',
    ]);

    expect(result['byPriority']).toEqual({ critical: 1, high: 1, normal: 0, low: 3 });
    expect((await listed()).entries.map(({ priority }) => priority)).toEqual([
      'critical',
      'high',
      'low',
      'low',
      'low',
    ]);
  });

  test('a value that is no priority stops it with its line, unless a map says what it stands for', async () => {
    const file = write('r.csv', 'id,p\n1,high\n2,Critical\n');

    const { stderr, code } = await folder.run(['import', file, ...into, '--priority-from', 'p']);

    expect(code).not.toBe(0);
    expect(stderr).toContain('line 3: p is Critical, which is no priority');
  });

  test('a second run changes nothing, and saves what is new or different', async () => {
    const file = write('r.ndjson', '{"id":"a","n":1}\n{"id":"b","n":1}\n');
    await folder.run(['import', file, ...into]);

    const same = await folder.json(['import', file, ...into]);
    write('r.ndjson', '{"id":"a","n":1}\n{"id":"b","n":2}\n{"id":"c","n":1}\n');
    const changed = await folder.json(['import', file, ...into]);

    expect(same).toMatchObject({ saved: 0, unchanged: 2 });
    expect(changed).toMatchObject({ saved: 2, unchanged: 1 });
    expect((await listed()).total).toBe(3);
  });

  test('an id that comes twice ends with its last value, also when it was stored before', async () => {
    const file = write('r.ndjson', '{"id":"a","n":1}\n{"id":"a","n":2}\n{"id":"a","n":1}\n');
    await folder.run(['import', file, ...into]);

    await folder.run(['import', file, ...into]);

    expect((await listed()).entries.map(({ payload }) => payload)).toEqual([{ id: 'a', n: 1 }]);
  });

  test(
    'a killed import goes on where it was, without duplicates',
    { timeout: 60_000 },
    async () => {
      const count = 60_000;
      const lines = Array.from({ length: count }, (_, id) =>
        JSON.stringify({ id, text: 'x'.repeat(200) }),
      );
      const args = ['import', write('r.ndjson', lines.join('\n')), ...into];
      const child = folder.start(args);
      const ended = new Promise((resolve) => {
        child.on('close', resolve);
      });
      while (
        (statSync(folder.file('nexus-store.db'), { throwIfNoEntry: false })?.size ?? 0) < 3_000_000
      ) {
        await sleep(5);
      }
      child.kill('SIGKILL');
      await ended;

      const again = await folder.json(args);
      const status = await folder.json(['status']);

      expect(again['saved']).toBeGreaterThan(0);
      expect(again['unchanged']).toBeGreaterThan(0);
      expect(Number(again['saved']) + Number(again['unchanged'])).toBe(count);
      expect(status['waiting']).toBe(count);
    },
  );

  test('an interrupted import says how to go on', { timeout: 60_000 }, async () => {
    const child = folder.start(['import', '-', ...into, '--format', 'ndjson', '--json']);
    let stdout = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    const ended = new Promise((resolve) => {
      child.on('close', resolve);
    });
    child.stdin?.write(
      Array.from({ length: 2_000 }, (_, id) => `${JSON.stringify({ id })}\n`).join(''),
    );
    while ((statSync(folder.file('nexus-store.db'), { throwIfNoEntry: false })?.size ?? 0) === 0) {
      await sleep(5);
    }
    child.kill('SIGINT');
    child.stdin?.write('{"id":"last"}\n');
    const code = await ended;

    expect(code).toBe(130);
    const { error } = JSON.parse(stdout) as { error: { code: string; message: string } };
    expect(error.code).toBe('cli/interrupted');
    expect(error.message).toContain('Run the same command again');
  });
});

describe('a bad record', () => {
  test.each([
    ['no JSON', 'r.ndjson', '{"id":"a"}\n{"id":\n', 2, 'not JSON'],
    ['no object', 'r.ndjson', '{"id":"a"}\n7\n', 2, 'must be an object'],
    ['no id', 'r.json', '[{"id":"a"},\n{"name":"x"}]', 2, 'no field id'],
    ['an empty id', 'r.csv', 'id,n\na,1\n,2\n', 3, 'an empty text'],
    [
      'a number that is no number any more',
      'r.ndjson',
      '{"id":"a"}\n{"id":12345678901234567890}',
      2,
      'quotes',
    ],
    ['fields too few', 'r.csv', 'id,n\na,1\nb\n', 3, '1 fields where the first line names 2'],
  ])(
    'with %s stops the import with its line, and the rest is safe',
    async (_, name, content, line, reason) => {
      const { code, stdout, stderr } = await folder.run(['import', write(name, content), ...into]);

      expect(code).toBe(1);
      expect(stdout).toBe('');
      expect(stderr).toMatch(/^nexus-store: [^\n]+\n$/);
      expect(stderr).toContain(`line ${line}: `);
      expect(stderr).toContain(reason);
      expect(stderr).toContain('--skip-invalid');
      expect((await listed()).total).toBe(1);
    },
  );

  test('is counted and named with --skip-invalid', async () => {
    const file = write('r.ndjson', '{"id":"a"}\nnonsense\n{"id":""}\n{"id":"b"}\n');

    const { code, stdout } = await folder.run(['import', file, ...into, '--skip-invalid']);
    const result = await folder.json(['import', file, ...into, '--skip-invalid']);

    expect(code).toBe(0);
    expect(stdout).toContain('2 records saved');
    expect(stdout).toContain('line 2: ');
    expect(stdout).toContain('line 3: ');
    expect(result).toMatchObject({ invalid: 2, unchanged: 2 });
    expect(result['invalidRecords']).toHaveLength(2);
  });

  test.each([
    ['r.csv', 'id,t', (id: string) => `${id},x`, 'r2,"x', 3],
    ['r.csv', 'id,t', (id: string) => `${id},x`, 'r2,5" pipe', 3],
    ['r.json', '[', (id: string) => `{"id":"${id}"},`, '{"id":"r2},', 3],
    ['r.json', '[', (id: string) => `{"id":"${id}"},`, '{"id":"r2","list":[1},', 3],
  ])(
    'that may have swallowed those after it ends the import also with --skip-invalid: %s',
    async (name, head, lineOf, damaged, line) => {
      const lines = Array.from({ length: 5_000 }, (_, index) => lineOf(`r${index + 1}`));
      const file = write(name, [head, ...lines.with(1, damaged)].join('\n'));

      const { code, stderr } = await folder.run(['import', file, ...into, '--skip-invalid']);

      expect(code).toBe(1);
      expect(stderr).toContain(`line ${line}: `);
      expect((await listed()).total).toBe(1);
    },
  );

  test('does not show what it holds', async () => {
    const file = write('r.ndjson', '{"password":"hunter2"x}\n');

    const { stderr } = await folder.run(['import', file, ...into]);

    expect(stderr).not.toContain('hunter2');
  });
});

describe('a file that cannot be read', () => {
  test.each([
    ['cut short', 'r.json', '[{"id":"a"},{"id":"b"', 'cut short'],
    ['with something after its array', 'r.json', '[{"id":"a"}] {"id":"b"}', 'something follows'],
    ['with a comma missing', 'r.json', '[{"id":"a"} {"id":"b"}]', 'comma is missing'],
    ['with a quote never closed', 'r.csv', 'id,n\na,1\n"b,2\n', 'never closed'],
    ['that names a column twice', 'r.csv', 'id,id\na,1\n', 'twice'],
    ['in UTF-16', 'r.ndjson', Buffer.from('\u{feff}{"id":"a"}', 'utf16le'), 'UTF-16'],
    ['in Latin-1', 'r.csv', Buffer.from('id,n\na,\u{e9}\n', 'latin1'), 'UTF-8'],
  ])('%s: says so', async (_, name, content, reason) => {
    const { error } = (await folder.json(['import', write(name, content), ...into])) as never;

    expect(error).toMatchObject({ code: 'cli/invalid-record' });
    expect((error as { message: string }).message).toContain(reason);
  });

  test.each([
    ['missing.ndjson', 'there is no file'],
    ['.', 'is a folder'],
  ])('%s: says so', async (file, reason) => {
    const args = ['import', file, ...into, '--format', 'ndjson'];

    const { error } = (await folder.json(args)) as { error: { code: string; message: string } };

    expect(error.code).toBe('cli/unreadable');
    expect(error.message).toContain(reason);
    expect(statSync(folder.file('nexus-store.db'), { throwIfNoEntry: false })).toBeUndefined();
  });
});
