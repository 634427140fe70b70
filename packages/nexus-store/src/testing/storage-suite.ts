import type { Storage } from '../core/ports/storage.ts';
import { atomicityLaws } from './storage-laws/atomicity.ts';
import { contextLaws } from './storage-laws/contexts.ts';
import type { LawTools, StateLaw, StorageHarness } from './storage-laws/law.ts';
import { LAW_SCHEMA } from './storage-laws/law-schema.ts';
import { lifecycleLaws } from './storage-laws/lifecycle.ts';
import { orderLaws } from './storage-laws/order.ts';
import { pagingLaws } from './storage-laws/paging.ts';
import { valueLaws } from './storage-laws/values.ts';
import { requireSuite } from './option-kinds.ts';
import type { TestFunctions } from './test-functions.ts';

/**
 * The conformance suite of the port `Storage`. Every driver runs all of it: what a driver may leave out is
 * what its capabilities say it cannot do, and a capability that is not true fails.
 *
 * @param createHarness makes a fresh, empty database for each test
 * @example testStorage('memory', async () => ({ create: () => memoryStorage(), dispose: async () => {} }), { describe, test, expect })
 */
export function testStorage(
  name: string,
  createHarness: () => Promise<StorageHarness>,
  functions: TestFunctions,
): void {
  requireSuite('testStorage', name, createHarness, functions);
  const { describe, test, expect } = functions;
  const law: StateLaw = (title, check, needs) => {
    test(title, async () => await checkLaw(createHarness, expect, check, needs));
  };
  describe(`storage: ${name}`, () => {
    for (const laws of [
      lifecycleLaws,
      atomicityLaws,
      orderLaws,
      valueLaws,
      contextLaws,
      pagingLaws,
    ])
      laws(law);
  });
}

async function checkLaw(
  createHarness: () => Promise<StorageHarness>,
  expect: TestFunctions['expect'],
  check: (tools: LawTools) => Promise<void>,
  needs: 'durable' | 'sharedAcrossContexts' | undefined,
): Promise<void> {
  const harness = await createHarness();
  const handles: Storage[] = [];
  const open = async (schema = LAW_SCHEMA): Promise<Storage> => {
    const storage = harness.create();
    handles.push(storage);
    await storage.open(schema);
    return storage;
  };
  try {
    if (needs !== undefined && !harness.create().capabilities[needs]) return;
    await check({ harness, open, expect });
  } finally {
    for (const storage of handles) await storage.close();
    await harness.dispose();
  }
}
