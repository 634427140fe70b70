import { describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { testQueue } from '../../testing/index.ts';

const functions = { describe, test, expect };

testQueue(
  'memory, one handle',
  async () => {
    const storage = memoryStorage();
    return { create: () => storage, dispose: async () => {} };
  },
  functions,
);

testQueue(
  'memory, a database that outlives its handles',
  async () => {
    const database = memoryDatabase();
    return { create: () => memoryStorage({ database }), dispose: async () => {} };
  },
  functions,
);
