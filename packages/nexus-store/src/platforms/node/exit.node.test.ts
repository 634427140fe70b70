import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const SOURCE = dirname(dirname(import.meta.dirname));

let folder: string;
let children: ChildProcess[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nexus-exit-'));
  children = [];
});

afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

/** An app with a service, one write that waits, and a server that tells what reaches it. */
const APP = `
  import { writeSync } from 'node:fs';
  import { createBackend, NexusStore } from './index.ts';
  import { NodeSyncService } from './platforms/node/index.ts';
  import { sqliteStorage } from './storage/sqlite/index.ts';
  import { memoryRemote } from './testing/memory-remote.ts';
  const path = process.argv[1];
  const remote = memoryRemote({ pull: false });
  remote.answerWith(({ batch }) => {
    for (const entry of batch) writeSync(1, 'sent ' + entry.entityId + '\\n');
    return answer;
  });
  let answer = 'apply';
  const backend = createBackend({ storage: sqliteStorage({ path }), remote, autoSync: false });
  const notes = new NexusStore({ backend, collection: 'notes' });
  const service = new NodeSyncService({ backend, path, grace: '1s' });
  await service.initialize({ minInterval: '1h' });
  const save = (id) => notes.save({ id }, { priority: 'low' });
`;

async function run(
  script: string,
  signals: readonly NodeJS.Signals[] = [],
): Promise<{ code: number | null; signal: string | null; sent: string[]; tookMs: number }> {
  const child = spawn(
    process.execPath,
    ['--input-type=module', '-e', APP + script, join(folder, 'store.db')],
    {
      cwd: SOURCE,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, NODE_NO_WARNINGS: '1' },
    },
  );
  children.push(child);
  const ended = once(child, 'exit') as Promise<[number | null, string | null]>;
  const sent: string[] = [];
  let signalledAt = performance.now();
  const reading = (async () => {
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.startsWith('sent ')) sent.push(line.slice(5));
      if (line !== 'ready') continue;
      signalledAt = performance.now();
      for (const signal of signals) child.kill(signal);
    }
  })();
  const [code, signal] = await ended;
  const tookMs = performance.now() - signalledAt;
  await reading;
  return { code, signal, sent, tookMs };
}

const STAYS = `setInterval(() => {}, 60_000); console.log('ready');`;

describe('a process with a background service', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    'that gets %s sends what waits and ends by the signal, as without us',
    async (signal) => {
      const end = await run(`await save('a'); await save('b'); ${STAYS}`, [signal]);

      expect(end).toMatchObject({ code: null, signal, sent: ['a', 'b'] });
      expect(end.tookMs).toBeLessThan(1_500);
    },
    15_000,
  );

  test('whose server does not answer ends when the grace is over', async () => {
    const end = await run(`answer = 'hang'; await save('a'); ${STAYS}`, ['SIGTERM']);

    expect(end).toMatchObject({ code: null, signal: 'SIGTERM', sent: ['a'] });
    expect(end.tookMs).toBeGreaterThan(500);
    expect(end.tookMs).toBeLessThan(2_000);
  }, 15_000);

  test('that handles the signal itself ends in its own way', async () => {
    const end = await run(
      `process.once('SIGTERM', async () => {
         await service.drain({ grace: '1s' });
         process.exit(7);
       });
       await save('a'); ${STAYS}`,
      ['SIGTERM'],
    );

    expect(end).toMatchObject({ code: 7, signal: null, sent: ['a'] });
  }, 15_000);

  test('that has nothing left to do sends what waits, and ends as it would have', async () => {
    const end = await run(`process.exitCode = 3; await save('a'); await save('b');`);

    expect(end).toMatchObject({ code: 3, signal: null, sent: ['a', 'b'] });
  }, 15_000);

  test('that has nothing to send ends at once', async () => {
    const end = await run(STAYS, ['SIGTERM']);

    expect(end).toMatchObject({ signal: 'SIGTERM', sent: [] });
    expect(end.tookMs).toBeLessThan(500);
  }, 15_000);
});
