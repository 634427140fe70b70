import { writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CliFolder } from '../testing/run-cli.ts';

let folder: CliFolder;
beforeEach(() => {
  folder = new CliFolder();
});
afterEach(() => folder.remove());

test('serve answers until it is told to stop, and the command can sync with it', async () => {
  writeFileSync(folder.file('tokens'), '# one per line\nsecret=anna\n');
  const child = folder.start(['serve', '--port', '0', '--tokens-file', 'tokens', '--json']);
  const ended = new Promise((resolve) => {
    child.on('close', resolve);
  });
  const printed = await new Promise<string>((resolve) => {
    child.stdout?.setEncoding('utf8').once('data', resolve);
  });
  const { url } = JSON.parse(printed) as { url: string };
  writeFileSync(folder.file('r.ndjson'), '{"id":"a"}\n');
  await folder.run(['import', 'r.ndjson', '--collection', 'reports']);

  const health = await fetch(`${url}/health`);
  const { code } = await folder.run(['sync', '--url', url], {
    env: { NEXUS_STORE_TOKEN: 'secret' },
  });
  child.kill('SIGTERM');

  expect(health.status).toBe(200);
  expect(code).toBe(0);
  expect(await ended).toBe(0);
});

test('a port that is taken is said in one line', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;

  const { code, stderr } = await folder.run(['serve', '--port', String(port)], {
    env: { NEXUS_STORE_TOKENS: 'secret=anna' },
  });
  other.close();

  expect(code).toBe(1);
  expect(stderr).toMatch(/^nexus-store: port \d+ is taken[^\n]*\n$/);
});

test('tokens that are not pairs are refused without being shown', async () => {
  const { code, stderr } = await folder.run(['serve'], { env: { NEXUS_STORE_TOKENS: 'secret' } });

  expect(code).toBe(2);
  expect(stderr).toContain('token=user');
  expect(stderr).not.toContain('secret');
});

test.each(['noslash', '/a b', '/a?b', '/:any', '//a'])('the path %s is refused', async (path) => {
  const { code, stdout, stderr } = await folder.run(['serve', '--port', '0', '--path', path], {
    env: { NEXUS_STORE_TOKENS: 'secret=anna' },
  });

  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/^nexus-store: --path begins with \/[^\n]*\n$/);
});
