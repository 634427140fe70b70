import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test, vi } from 'vitest';

/** Real processes share two cores with other tests. */
vi.setConfig({ testTimeout: 30_000 });

/** An app without a single socket: only timers could keep its process. */
const APP = `
  import { createBackend, createStandardRuntime, NexusStore, silentLogger } from './index.ts';
  import { memoryStorage } from './storage/memory/index.ts';
  import { memoryRemote } from './testing/memory-remote.ts';
  const remote = memoryRemote({ pull: false, hints: false });
  const runtime = createStandardRuntime({ logger: silentLogger });
  const backend = createBackend({
    storage: memoryStorage(), remote, requestTimeout: '100ms', lease: '5300ms', runtime,
  });
  const notes = new NexusStore({
    backend, collection: 'notes', pull: false, conflict: () => new Promise(() => {}),
  });
  const failure = { code: 'remote/throttled', at: runtime.clock.now() };
  const wait = (retryAfterMs) => ({ kind: 'retry', scope: 'endpoint', ambiguous: false, failure, retryAfterMs });
`;

async function run(
  script: string,
): Promise<{ code: number | null; stdout: string; tookMs: number }> {
  const began = performance.now();
  const child = spawn(process.execPath, ['--input-type=module', '-e', APP + script], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_NO_WARNINGS: '1' },
  });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, tookMs: performance.now() - began };
}

test('a process lives until a write that it awaits has reached a server that asked to wait', async () => {
  const { code, stdout } = await run(`
    remote.answerNext(wait(1_000));
    const write = await notes.save({ id: 'a' }, { priority: 'critical' });
    console.log((await write.synced()).outcome);`);

  expect({ code, stdout }).toEqual({ code: 0, stdout: 'applied\n' });
});

test('a process lives until the run that it awaits has ended, though a handler never comes back', async () => {
  const { code, stdout } = await run(`
    remote.answerNext({ kind: 'conflict', remote: { id: 'a', text: 'theirs' }, version: '7' });
    await notes.save({ id: 'a', text: 'ours' }, { priority: 'low' });
    console.log((await backend.sync()).conflicts);`);

  expect({ code, stdout }).toEqual({ code: 0, stdout: '1\n' });
});

test('a process that awaits nothing, or no longer, ends by itself', async () => {
  const { code, stdout, tookMs } = await run(`
    remote.answerNext(wait(60_000));
    const write = await notes.save({ id: 'a' }, { priority: 'critical' });
    await backend.sync();
    const controller = new AbortController();
    runtime.timers.after(50, () => controller.abort());
    await write.synced({ signal: controller.signal }).catch((error) => console.log(error.name));`);

  expect({ code, stdout }).toEqual({ code: 0, stdout: 'AbortError\n' });
  expect(tookMs).toBeLessThan(20_000);
});
