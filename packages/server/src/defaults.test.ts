import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { createBackend, NexusStore, type StoreBackend } from 'nexus-store';
import { httpRemote } from 'nexus-store/http';
import { memoryStorage } from 'nexus-store/memory';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createReceiver, type Receiver } from './index.ts';

interface Note {
  readonly id: string;
  readonly text: string;
}

/** What an entry is counted for besides its payload: `limits.maxEntryBytes` of the client. */
const ROOM = 4_000_000 - 100;
const LONGEST = 255;

let receiver: Receiver;
let backend: StoreBackend;
let statuses: number[];
beforeEach(() => {
  receiver = createReceiver({ database: new DatabaseSync(':memory:'), authenticate: { t: 'u' } });
  statuses = [];
  backend = deviceOf();
});
afterEach(async () => {
  await backend.close();
  await receiver.close();
});

function deviceOf(): StoreBackend {
  return createBackend({
    storage: memoryStorage(),
    autoSync: false,
    backoff: { initial: '10ms', cap: '10ms' },
    remote: httpRemote({
      url: 'http://server.test',
      headers: { authorization: 'Bearer t' },
      fetch: async (url, init) => {
        const response = await receiver(new Request(url, init));
        statuses.push(response.status);
        return response;
      },
    }),
  });
}

describe('with the defaults of both', () => {
  test.each([
    ['one byte', 'x'],
    ['three bytes', '€'],
  ])('the server takes the largest entry a client queues, in letters of %s', async (_, letter) => {
    // Every name as long as it may be, and dear to JSON.
    const name = '"'.repeat(LONGEST);
    const notes = new NexusStore<Note>({ backend, collection: name });
    const around = Buffer.byteLength(JSON.stringify({ id: name, text: '' }));
    const room = ROOM - around;
    const text = letter.repeat(Math.floor(room / Buffer.byteLength(letter)));

    await notes.save({ id: name, text });
    const report = await backend.sync();

    expect(report).toMatchObject({ pushed: 1, dead: 0, remaining: 0, stoppedBy: 'drained' });
    expect(statuses.filter((status) => status >= 400)).toEqual([]);
  });

  test('a queue of large entries gets through, in requests that the server takes', async () => {
    const notes = new NexusStore<Note>({ backend, collection: 'notes' });
    for (let n = 0; n < 12; n += 1) await notes.save({ id: `n${n}`, text: 'x'.repeat(900_000) });

    const report = await backend.sync();

    expect(report).toMatchObject({ pushed: 12, dead: 0, remaining: 0 });
    expect(statuses.filter((status) => status >= 400)).toEqual([]);
    expect(await receiver.arrivals('u')).toHaveLength(12);
  });

  test('entries that are all answered with a large row get their answers', async () => {
    const other = deviceOf();
    const theirs = new NexusStore<Note>({ backend: other, collection: 'notes' });
    const ids = Array.from({ length: 12 }, (_, n) => `n${n}`);
    for (const id of ids) await theirs.save({ id, text: '€'.repeat(300_000) });
    await other.sync();
    await other.close();
    // Without the base every create meets the row that is there.
    const ours = new NexusStore<Note>({ backend, collection: 'notes', conflict: 'server-wins' });
    for (const id of ids) await ours.save({ id, text: 'mine' });

    let report = await backend.sync();
    for (let runs = 1; report.remaining > 0 && runs < 12; runs += 1) {
      await sleep(Math.max(0, (report.nextAttemptAt ?? 0) - Date.now()));
      report = await backend.sync();
    }

    expect(report).toMatchObject({ dead: 0, remaining: 0 });
    expect((await ours.get('n11'))?.text).toHaveLength(300_000);
  });
});
