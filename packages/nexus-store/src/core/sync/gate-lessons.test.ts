import { afterEach, describe, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { answers, fixtures, type BackendFixture } from '../../testing/backend-fixture.ts';
import { deferred } from '../../testing/deferred.ts';
import { RemoteError } from '../model/errors.ts';
import type { Storage, Key, StorageTransaction } from '../ports/storage.ts';

const world = fixtures(afterEach, () => memoryStorage());

/**
 * A storage whose transactions that only read hold up nobody, and whose nth look at the gate from now on comes
 * back late, with what was there when it was asked.
 */
function lateStorage(): Storage & { holdLook(nth: number, until: Promise<void>): void } {
  const storage = memoryStorage();
  let left = 0;
  let held: Promise<void> | undefined;
  const reading: StorageTransaction = {
    get: async (table, keys) => {
      const isLate = table === 'meta' && isGate(keys) && left > 0 && --left === 0;
      const records = await storage.transact('read', async (tx) => tx.get(table, keys));
      if (isLate) await held;
      return records;
    },
    scan: async (table, range) => storage.transact('read', async (tx) => tx.scan(table, range)),
    write: async () => {
      throw new Error('nothing is written here');
    },
  };
  return {
    capabilities: storage.capabilities,
    open: async (schema) => storage.open(schema),
    transact: async (mode, body) =>
      mode === 'read' ? body(reading) : storage.transact(mode, body),
    foreignCommits: async () => storage.foreignCommits(),
    close: async () => storage.close(),
    holdLook: (nth, until) => {
      left = nth;
      held = until;
    },
  };
}

function isGate(keys: readonly Key[]): boolean {
  return keys.some(([name]) => name === 'gate:remote');
}

interface Late {
  readonly fixture: BackendFixture;
  readonly save: () => Promise<unknown>;
}

const fetched = ({ fixture }: Late): Promise<unknown> => fixture.backend.fetch('notes');

async function fails(fixture: BackendFixture, times: number): Promise<void> {
  fixture.remote.answerWith(() => answers.offline);
  for (let count = 0; count < times; count += 1) await fixture.wait(fixture.backend.sync());
}

test('a failure counts once, also if the claim was lost meanwhile', async () => {
  const fixture = world();
  await fixture.notes.save({ id: 'a' });

  for (let run = 0; run < 4; run += 1) {
    const held = deferred();
    fixture.remote.answerNext({ until: held.promise, answer: answers.endpoint(503) });
    const running = fixture.backend.sync();
    await fixture.settle();
    await fixture.backend.writer.write(async (uow) => {
      for (const fence of (await uow.leases()).keys()) await uow.deleteLease(fence);
    });
    held.resolve();
    await fixture.wait(running);
  }

  expect(fixture.typesOf('claim-lost')).toHaveLength(4);
  expect(fixture.typesOf('gate-opened')).toEqual([]);
});

describe('what an answer has taught is not forgotten for a look at the gate that comes back late', () => {
  test.each([
    ...[1, 2, 3, 4].map((nth) => ['before a page', nth, fetched] as const),
    ['before another write', 1, ({ save }: Late) => save()] as const,
  ])('%s (look %d)', async (_when, nth, begin) => {
    const storage = lateStorage();
    const fixture = world({ storage });
    await fixture.notes.save({ id: 'a' });
    await fails(fixture, 4);
    const [fifth, look, sixth] = [deferred(), deferred(), deferred()];
    const end = deferred();
    fixture.remote.pull = async () => {
      await end.promise;
      throw new RemoteError('remote/offline', 'no network');
    };
    const saving = (id: string, until: Promise<void>): Promise<unknown> => {
      fixture.remote.answerNext({ until, answer: answers.offline });
      return fixture.notes.save({ id }, { policy: 'remote-first' }).catch(() => {});
    };

    const first = saving('b', fifth.promise);
    await fixture.settle();
    storage.holdLook(nth, look.promise);
    const late = begin({ fixture, save: () => saving('late', end.promise) }).catch(() => {});
    await fixture.settle();
    fifth.resolve();
    await fixture.wait(first);
    const second = saving('c', sixth.promise);
    await fixture.settle();
    look.resolve();
    await fixture.settle();
    sixth.resolve();
    await fixture.wait(second);

    // Whoever has forgotten that it is open says so once more.
    expect(fixture.typesOf('gate-opened')).toHaveLength(1);
    end.resolve();
    await fixture.wait(late);
  });
});
