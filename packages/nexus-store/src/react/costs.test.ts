// @vitest-environment happy-dom
import { createElement, type FunctionComponent, type ReactNode } from 'react';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Storage, StorageTransaction } from '../core/ports/storage.ts';
import { NexusStore } from '../core/store/nexus-store.ts';
import { memoryDatabase, memoryStorage } from '../storage/memory/index.ts';
import { answers, type BackendFixture } from '../testing/backend-fixture.ts';
import { NexusProvider } from './provider.ts';
import type { Screen } from './fakes/screen.ts';
import { stage } from './fakes/stage.ts';
import { useItem } from './use-items.ts';
import { useSyncMark } from './use-sync.ts';

const { open, newScreen } = stage({ beforeEach, afterEach }, () => memoryStorage());
const here = { policy: 'cache-only' } as const;

interface Counts {
  /** Transactions. */
  transactions: number;
  /** Calls that ask a transaction for records. */
  requests: number;
  /** Keys that were asked for, and records that were found by scans. */
  records: number;
}

/** A storage that counts what it is asked for. */
function counted(storage: Storage): Storage & { readonly counts: Counts } {
  const counts: Counts = { transactions: 0, requests: 0, records: 0 };
  const counting = (tx: StorageTransaction): StorageTransaction => ({
    get: (table, keys) => {
      counts.requests += 1;
      counts.records += keys.length;
      return tx.get(table, keys);
    },
    scan: async (table, range) => {
      counts.requests += 1;
      const found = await tx.scan(table, range);
      counts.records += found.length;
      return found;
    },
    write: (changes) => tx.write(changes),
  });
  return {
    counts,
    capabilities: storage.capabilities,
    open: (schema) => storage.open(schema),
    transact: (mode, body) => {
      counts.transactions += 1;
      return storage.transact(mode, (tx) => body(counting(tx)));
    },
    foreignCommits: () => storage.foreignCommits(),
    close: () => storage.close(),
  };
}

const ROWS = 200;

/** A list of so many rows, each drawn by `Row`; all of them wait to be sent. */
async function list(Row: FunctionComponent<{ fixture: BackendFixture; id: string }>) {
  const database = memoryDatabase();
  const storage = counted(memoryStorage({ database }));
  const fixture = open({ storage });
  const other = new NexusStore<{ id: string }>({ backend: fixture.backend, collection: 'other' });
  const ids = Array.from({ length: ROWS }, (_, index) => `n${index}`);
  await fixture.notes.saveAll(ids.map((id) => ({ id, text: id })));
  const screen = newScreen();
  const rows: ReactNode[] = ids.map((id) => createElement(Row, { key: id, fixture, id }));
  const settle = (): Promise<void> => fixture.runtime.advance(500);
  await screen.show(createElement(NexusProvider, { backend: fixture.backend }, rows), settle);
  /** What it costs until everybody has seen it, and how often something was drawn. */
  const costOf = async (action: () => unknown): Promise<Counts & { commits: number }> => {
    const before = { ...storage.counts };
    const { commits } = screen;
    await screen.do(action, settle);
    return {
      transactions: storage.counts.transactions - before.transactions,
      requests: storage.counts.requests - before.requests,
      records: storage.counts.records - before.records,
      commits: screen.commits - commits,
    };
  };
  return { database, fixture, other, screen, costOf };
}

const Mark: FunctionComponent<{ fixture: BackendFixture; id: string }> = ({ fixture, id }) =>
  createElement('li', null, useSyncMark(fixture.notes, id));

const Item: FunctionComponent<{ fixture: BackendFixture; id: string }> = ({ fixture, id }) =>
  createElement('li', null, useItem(fixture.notes, id, here).value?.text);

const Nothing: FunctionComponent = () => createElement('li');

const textOf = ({ text }: Screen, mark: string): number => text.split(mark).length - 1;

describe('a list with a sync mark in each row', () => {
  test('costs a write elsewhere nothing', async () => {
    const plain = await list(Nothing);
    const marked = await list(Mark);

    const without = await plain.costOf(() => plain.other.save({ id: 'x' }));
    const withMarks = await marked.costOf(() => marked.other.save({ id: 'x' }));

    expect(textOf(marked.screen, 'pending')).toBe(ROWS);
    expect(withMarks).toEqual({ ...without, commits: 0 });
  });

  test('costs a write of one row the reading of that row', async () => {
    const plain = await list(Nothing);
    const marked = await list(Mark);

    const without = await plain.costOf(() => plain.fixture.notes.save({ id: 'new' }));
    const withMarks = await marked.costOf(() => marked.fixture.notes.save({ id: 'n7', at: 1 }));

    expect(withMarks.transactions - without.transactions).toBeLessThanOrEqual(1);
    expect(withMarks.records - without.records).toBeLessThan(20);
    expect(withMarks.commits).toBe(0);
  });

  test('costs a drain one reading in 50 ms, of the rows that are just sent', async () => {
    const plain = await list(Nothing);
    const marked = await list(Mark);
    const drain = ({ fixture }: { fixture: BackendFixture }) =>
      fixture.wait(fixture.backend.sync());

    const without = await plain.costOf(() => drain(plain));
    const withMarks = await marked.costOf(() => drain(marked));

    expect(textOf(marked.screen, 'synced')).toBe(ROWS);
    expect(withMarks.transactions - without.transactions).toBeLessThan(10);
    expect(withMarks.records - without.records).toBeLessThan(10 * ROWS);
  });

  test('is read at once where another context has written, and shows what it did', async () => {
    const { database, fixture, screen, costOf } = await list(Mark);
    const elsewhere = open({
      storage: memoryStorage({ database }),
      runtime: fixture.runtime,
      remote: fixture.remote,
    });
    fixture.remote.answerWith(
      () => (entry) => (entry.entityId.toString().length > 3 ? answers.rejected(422) : undefined),
    );
    await elsewhere.wait(elsewhere.backend.sync());

    const cost = await costOf(() => fixture.backend.refresh());

    expect(textOf(screen, 'synced')).toBe(100);
    expect(textOf(screen, 'dead')).toBe(ROWS - 100);
    expect(cost.transactions).toBeLessThan(10);
    expect(cost.records).toBeLessThan(2 * ROWS);
    // All at once: nobody sees a part of it.
    expect(cost.commits).toBe(1);
  });
});

describe('a list that reads each row by itself', () => {
  test('is read in one transaction where another context has written', async () => {
    const { costOf, fixture } = await list(Item);

    const cost = await costOf(() => fixture.backend.refresh());

    expect(cost.transactions).toBeLessThan(10);
    expect(cost.commits).toBe(0);
  });
});
