// The suites that every storage has to pass, over IndexedDB: run in Node over fake-indexeddb, and in a page
// of a real browser over the real one.
import { deleteDB } from 'idb';
import { testQueue, testStorage } from '../../testing/index.ts';
import type { ArmedFault, StorageHarness, TestFunctions } from '../../testing/index.ts';
import { cacheSuite } from './cache-suite.page.ts';
import { indexedDbStorage } from './index.ts';

let databases = 0;

export function indexedDbSuites(functions: TestFunctions): void {
  testStorage('IndexedDB', async () => harness(), functions);
  testStorage('IndexedDB, relaxed', async () => harness({ durability: 'relaxed' }), functions);
  testStorage('IndexedDB that is full', async () => harness({}, throwsQuota), functions);
  testStorage('IndexedDB whose requests fail', async () => harness({}, failsLater), functions);
  testQueue('IndexedDB', async () => harness(), functions);
  cacheSuite(functions);
}

type Options = Partial<Parameters<typeof indexedDbStorage>[0]>;
type Change = 'put' | 'delete';
type Native = Record<Change, (this: IDBObjectStore, ...args: unknown[]) => unknown>;
type Fail = (store: IDBObjectStore) => unknown;

function harness(options: Options = {}, fail?: Fail): StorageHarness {
  const name = `suite-${(databases += 1)}`;
  return {
    create: () => indexedDbStorage({ name, ...options }),
    ...(fail !== undefined && { failStep: (nth) => failChange(nth, fail) }),
    dispose: async () => await deleteDB(name),
  };
}

/** As a full disk that is noticed at the call. */
function throwsQuota(): never {
  throw new DOMException('there is no space left', 'QuotaExceededError');
}

/** As a device that fails while the request is under way: the transaction is aborted later. */
function failsLater(store: IDBObjectStore): unknown {
  const key = -Number.MAX_VALUE;
  store.add({ first: true }, key);
  return store.add({ second: true }, key);
}

/** Lets the nth put or delete from now on fail, once. */
function failChange(nth: number, fail: Fail): ArmedFault {
  const prototype = IDBObjectStore.prototype as unknown as Native;
  const originals = { put: prototype.put, delete: prototype.delete };
  let left = nth;
  for (const change of ['put', 'delete'] as const) {
    prototype[change] = function (...args) {
      left -= 1;
      return left === 0 ? fail(this) : originals[change].apply(this, args);
    };
  }
  return { hasStruck: () => left <= 0, disarm: () => void Object.assign(prototype, originals) };
}
