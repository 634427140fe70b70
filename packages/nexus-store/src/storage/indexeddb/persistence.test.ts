import 'fake-indexeddb/auto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { StorageSchema } from '../../core/ports/storage.ts';
import type { IndexedDbStorage, IndexedDbStorageOptions } from './index.ts';

const SCHEMA: StorageSchema = {
  version: 1,
  tables: { notes: { columns: { id: 'integer' }, key: ['id'] } },
};

interface Browser {
  isPersistent: boolean;
  grants: boolean;
  permission: 'granted' | 'denied' | 'prompt';
  asked: number;
}

let browser: Browser;
let databases = 0;

beforeEach(() => {
  // What a page was asked it remembers; each test is a page of its own.
  vi.resetModules();
  browser = { isPersistent: false, grants: true, permission: 'prompt', asked: 0 };
  vi.stubGlobal('navigator', {
    storage: {
      persisted: async () => browser.isPersistent,
      persist: async () => {
        browser.asked += 1;
        browser.isPersistent = browser.grants;
        return browser.isPersistent;
      },
    },
    permissions: { query: async () => ({ state: browser.permission }) },
  });
});

afterEach(() => vi.unstubAllGlobals());

describe('persistence', () => {
  test('is asked for once, after the first write of the first database', async () => {
    const first = await opened();
    const answers = answersOf(first);
    expect(await answers.next()).toBe('best-effort');
    expect(browser.asked).toBe(0);

    await write(first);
    expect(await answers.next()).toBe('persistent');
    const second = await opened();
    await write(second);
    await write(first);

    expect(await answersOf(second).next()).toBe('persistent');
    expect(browser.asked).toBe(1);
  });

  test('that is refused is reported', async () => {
    browser.grants = false;
    const storage = await opened();

    await write(storage);

    await vi.waitFor(() => expect(browser.asked).toBe(1));
    expect(await answersOf(storage).next()).toBe('best-effort');
  });

  test('is not asked for again once the user has said no', async () => {
    browser.permission = 'denied';
    const storage = await opened();

    await write(storage);

    expect(await answersOf(storage).next()).toBe('best-effort');
    expect(browser.asked).toBe(0);
  });

  test('is not asked for if the app does not want that', async () => {
    const storage = await opened({ persist: false });

    await write(storage);

    expect(await answersOf(storage).next()).toBe('best-effort');
    expect(browser.asked).toBe(0);
  });

  test('that is there already is reported and not asked for', async () => {
    browser.isPersistent = true;
    const storage = await opened();

    await write(storage);

    expect(await answersOf(storage).next()).toBe('persistent');
    expect(browser.asked).toBe(0);
  });

  test('is unsupported where the browser says nothing of it', async () => {
    vi.stubGlobal('navigator', {});
    const storage = await opened();

    await write(storage);

    expect(await answersOf(storage).next()).toBe('unsupported');
  });
});

async function opened(options: Partial<IndexedDbStorageOptions> = {}): Promise<IndexedDbStorage> {
  const { indexedDbStorage } = await import('./index.ts');
  const storage = indexedDbStorage({ name: `persistence-${(databases += 1)}`, ...options });
  await storage.open(SCHEMA);
  return storage;
}

async function write(storage: IndexedDbStorage): Promise<void> {
  await storage.transact('write', async (tx) => {
    await tx.write([{ table: 'notes', put: { id: 1 } }]);
  });
}

/** The answers after `unknown`, each once. */
function answersOf(storage: IndexedDbStorage): { next(): Promise<string> } {
  const iterator = storage.persistence[Symbol.asyncIterator]();
  return {
    next: async () => {
      for (;;) {
        const { value } = await iterator.next();
        if (value !== 'unknown') return value as string;
      }
    },
  };
}
