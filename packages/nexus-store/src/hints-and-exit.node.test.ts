import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

/** Real processes share two cores with other tests. */
vi.setConfig({ testTimeout: 30_000 });

let folder: string;
let server: Server;
/** Resolves with how the stream of hints was left. */
let streamLeft: Promise<unknown>;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nexus-hints-'));
  server = createServer();
  streamLeft = new Promise((resolve) => {
    server.on('request', (request, response) => {
      if (request.url === '/v1/events') {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': connected\n\n');
        response.on('close', resolve);
      } else {
        request.resume();
        // Slow enough that the process would be gone by then if nothing kept it.
        setTimeout(() => response.writeHead(503).end(), 200);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

/** Runs a script that saves one note; resolves with what it printed and how it ended. */
async function run(after: string): Promise<{ code: number | null; stdout: string }> {
  const source = (name: string): string =>
    JSON.stringify(fileURLToPath(new URL(name, import.meta.url)));
  const { port } = server.address() as AddressInfo;
  const script = `
    const { createBackend, NexusStore } = await import(${source('index.ts')});
    const { sqliteStorage } = await import(${source('storage/sqlite/index.ts')});
    const { httpRemote } = await import(${source('remote/http/index.ts')});
    const backend = createBackend({
      storage: sqliteStorage({ path: ${JSON.stringify(join(folder, 'field.db'))} }),
      remote: httpRemote({ url: 'http://127.0.0.1:${port}' }),
    });
    const notes = new NexusStore({ backend, collection: 'notes' });
    await notes.save({ id: 'a' });
    ${after}`;
  const child = spawn(
    process.execPath,
    ['--conditions=nexus-source', '--input-type=module', '-e', script],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout };
}

test('a script that has done its work ends by itself, though it listens for hints', async () => {
  const { code, stdout } = await run(`
    await backend.fetch('notes').catch((error) => console.log(error.code));
    const { stoppedBy } = await backend.sync();
    console.log(stoppedBy);`);

  // What was asked for was waited for; the stream was not.
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: expect.stringMatching(/^remote\/server\n/) as string,
  });
  expect(stdout.trim().split('\n')).toHaveLength(2);
  await streamLeft;
});
