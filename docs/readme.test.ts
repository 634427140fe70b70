import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { serve, type RunningServer } from '@nexus-store/server';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

const root = join(import.meta.dirname, '..');
const PAGES = [
  'README.md',
  'packages/nexus-store/README.md',
  'packages/server/README.md',
  'docs/reference/errors.md',
];
/** What a page leaves to its reader. */
const GIVEN = `const token = async () => 'secret';
const userOf = async (token: string) => (token === 'secret' ? 'anna' : null);
`;

let folder: string;
let server: RunningServer;
beforeEach(async () => {
  folder = mkdtempSync(join(import.meta.dirname, '.readme-'));
  server = await serve({ database: ':memory:', port: 0, authenticate: { secret: 'anna' } });
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const snippets = PAGES.flatMap((page) => {
  const text = readFileSync(join(root, page), 'utf8');
  const blocks = [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)];
  return blocks.map((block, index) => [`${index} of ${page}`, block[1] ?? ''] as const);
});

/** Real processes share two cores with other tests. */
vi.setConfig({ testTimeout: 30_000 });

test('every page has one', () => {
  expect(snippets.length).toBeGreaterThanOrEqual(PAGES.length);
});

test.each(snippets)('snippet %s runs from its own folder as it stands', async (_name, code) => {
  const here = code.replaceAll('https://api.example.com/sync', server.url);
  const isServer = code.includes('await serve(');
  const ending = isServer ? '\nawait server.close();' : '';
  const path = join(folder, 'snippet.ts');
  writeFileSync(path, GIVEN + here.replace('port: 8787', 'port: 0') + ending);

  const child = spawn(process.execPath, ['--conditions=nexus-source', path], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [status] = (await once(child, 'close')) as [number | null];

  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  // What is said to be sent is sent.
  if (code.includes('backend.sync()')) {
    expect(await server.receiver.arrivals('anna')).toMatchObject([{ entity: '"r1"' }]);
  }
});
