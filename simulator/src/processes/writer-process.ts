import { createBackend, NexusStore, PRIORITIES } from 'nexus-store';
import { httpRemote } from 'nexus-store/http';
import { sqliteStorage } from 'nexus-store/sqlite';
import { createSeededRandom } from 'nexus-store/testing';
import type { Assignment, Command, Report } from './messages.ts';

/** One of several apps on one file: writes all the time, and sends what anyone has written. */

const assignment = JSON.parse(process.argv[2] ?? '') as Assignment;
const { name, path, url, leaseMs, requestTimeoutMs, everyMs, seed } = assignment;
const random = createSeededRandom(seed, name);
const tell = (report: Report): void => void process.send?.(report);
const fail = (where: string) => (error: unknown) =>
  tell({
    kind: 'error',
    where,
    text: error instanceof Error ? String(error.stack) : String(error),
  });

const backend = createBackend({
  storage: sqliteStorage({ path }),
  remote: httpRemote({ url, events: false, pull: false, headers: () => ({ 'x-process': name }) }),
  lease: leaseMs,
  requestTimeout: requestTimeoutMs,
  batchSize: 5,
});
const notes = new NexusStore<{ id: string; token: string }>({
  backend,
  collection: 'notes',
  coalesce: false,
});

// Nobody is left to stop it.
process.on('disconnect', () => process.exit(1));
process.on('unhandledRejection', fail('unhandled'));
process.on('uncaughtException', fail('uncaught'));

let isWriting = true;
const underWay = new Set<Promise<void>>();

async function save(count: number): Promise<void> {
  const token = `${name}-${count}`;
  const id = `n${random.integer(40)}`;
  const begunAt = performance.now();
  await notes.save({ id, token }, { priority: random.pick(PRIORITIES) });
  tell({ kind: 'saved', token, tookMs: performance.now() - begunAt });
}

async function writeAll(): Promise<void> {
  for (let count = 0; isWriting; count += 1) {
    const writing: Promise<void> = save(count)
      .catch(fail('save'))
      .finally(() => underWay.delete(writing));
    underWay.add(writing);
    await new Promise((resolve) => setTimeout(resolve, random.exponential(everyMs)));
  }
  await Promise.all(underWay);
}

process.on('message', (command: Command) => {
  if (command.kind === 'stop-writing') isWriting = false;
  else backend.close().then(() => process.exit(0), fail('close'));
});

await backend.open().catch(fail('open'));
tell({ kind: 'ready' });
await writeAll();
// What others have left counts as well: nobody may be there to send it.
for (;;) {
  // A shorter window would leave out what is `low`.
  const report = await backend.sync({ budget: '30s' }).catch(fail('sync'));
  if (report !== undefined && report.remaining === 0) break;
  await new Promise((resolve) => setTimeout(resolve, 100));
}
tell({ kind: 'drained' });
