import { isNexusError } from '../core/model/errors.ts';
import type { SyncPriority } from '../core/model/priority.ts';
import type { Storage } from '../core/ports/storage.ts';
import {
  PrioritySyncQueue,
  type PrioritySyncQueueOptions,
} from '../core/queue/priority-sync-queue.ts';
import type { QueueClaim } from '../core/queue/queue-item.ts';
import type { TestFunctions } from './test-functions.ts';
import { createVirtualRuntime, type VirtualRuntime } from './virtual-runtime.ts';

/** One database for one test. A `StorageHarness` will do. */
export interface QueueHarness {
  /** A new handle on the database, not opened yet. */
  create(): Storage;
  /** Called after every test, when all handles are closed. */
  dispose(): Promise<void>;
}

/** What one law is checked with: time stands still unless a law advances it. */
export class Bench {
  readonly runtime: VirtualRuntime = createVirtualRuntime(1);
  readonly expect: TestFunctions['expect'];
  readonly #harness: QueueHarness;
  readonly #open: Storage[] = [];

  constructor(harness: QueueHarness, expect: TestFunctions['expect']) {
    this.#harness = harness;
    this.expect = expect;
  }

  storage(): Storage {
    const storage = this.#harness.create();
    this.#open.push(storage);
    return storage;
  }

  /** A queue on a storage; on a new handle if none is given. */
  queue<T = string>(options: Partial<PrioritySyncQueueOptions> = {}): PrioritySyncQueue<T> {
    return new PrioritySyncQueue<T>(this.runtime, { storage: this.storage(), ...options });
  }

  async close(): Promise<void> {
    for (const storage of this.#open) await storage.close();
    await this.#harness.dispose();
  }
}

/** Adds one law to the suite, for drivers that can keep it. */
export type Law = (
  title: string,
  check: (bench: Bench) => Promise<void>,
  needs?: 'durable' | 'sharedAcrossContexts',
) => void;

export async function fill(
  queue: PrioritySyncQueue<string>,
  items: readonly (readonly [string, SyncPriority?])[],
): Promise<void> {
  for (const [item, priority] of items) await queue.enqueue(item, priority);
}

export async function drain(queue: PrioritySyncQueue<string>): Promise<string[]> {
  const items: string[] = [];
  for (;;) {
    const item = await queue.dequeue();
    if (item === undefined) return items;
    items.push(item);
  }
}

export async function codeOf(doing: Promise<unknown>): Promise<string> {
  try {
    await doing;
    return 'none';
  } catch (error) {
    return isNexusError(error) ? error.code : String(error);
  }
}

export async function claimOf<T>(queue: PrioritySyncQueue<T>, limit = 1): Promise<QueueClaim<T>> {
  const claim = await queue.claim({ limit });
  if (claim === undefined) throw new Error('nothing could be claimed');
  return claim;
}
