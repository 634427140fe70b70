import type { StateLaw } from './law.ts';
import {
  contents,
  failure,
  get,
  NEXT_SCHEMA,
  putQueued,
  putText,
  rejects,
  scan,
  write,
} from './law-schema.ts';

/** Opening, closing, opening again. */
export function lifecycleLaws(law: StateLaw): void {
  closingLaws(law);
  reopeningLaws(law);

  law('a storage that is not open refuses every call', async ({ harness, expect }) => {
    const storage = harness.create();

    expect(await failure(storage.transact('read', async () => 1))).toEqual('storage/closed');
    expect(await failure(storage.foreignCommits())).toEqual('storage/closed');
    await storage.close();
  });

  law('a new database is empty', async ({ open, expect }) => {
    const storage = await open();

    expect(await contents(storage)).toEqual({
      texts: [],
      queue: [],
      rows: [],
      links: [],
      facts: [],
    });
  });

  law('a transaction gives back what its body returns', async ({ open, expect }) => {
    const storage = await open();

    expect(await storage.transact('read', async () => 'read')).toEqual('read');
    expect(await storage.transact('write', async () => 'written')).toEqual('written');
  });
}

function closingLaws(law: StateLaw): void {
  law('close is idempotent, and every later call is refused', async ({ open, expect }) => {
    const storage = await open();

    await Promise.all([storage.close(), storage.close()]);
    await storage.close();

    const code = 'storage/closed';
    expect(await failure(storage.transact('write', async () => 1))).toEqual(code);
    expect(await failure(storage.transact('read', async () => 1))).toEqual(code);
    expect(await failure(storage.foreignCommits())).toEqual(code);
    expect(await failure(storage.open(NEXT_SCHEMA))).toEqual(code);
  });

  law('closing a storage that was never opened resolves', async ({ harness, expect }) => {
    expect(await failure(harness.create().close())).toEqual('resolved');
  });

  law('close waits for the transactions that were asked for before', async ({ open, expect }) => {
    const storage = await open();
    const ended: string[] = [];
    const transactions = [1, 2, 3].map(async (position) => {
      await storage.transact('write', async (tx) => {
        await tx.write([putQueued(position)]);
        await tx.scan('queue', { limit: 1 });
        await tx.write([putText(String(position), 'x')]);
        ended.push('transaction');
      });
    });

    await storage.close();
    ended.push('close');
    await Promise.all(transactions);

    expect(ended).toEqual(['transaction', 'transaction', 'transaction', 'close']);
  });
}

function reopeningLaws(law: StateLaw): void {
  law('the claim to be durable is true', async ({ harness, open, expect }) => {
    const first = await open();
    await write(first, putText('kept', 'yes'), putQueued(7, { lane: 'a', due: 1 }));
    const before = await contents(first);
    await first.close();

    const second = await open();

    const isKept = JSON.stringify(await contents(second)) === JSON.stringify(before);
    expect(isKept).toEqual(harness.create().capabilities.durable);
  });

  law('the claim to encrypt is true', async ({ harness, open, expect }) => {
    const storage = await open();
    if (!storage.capabilities.encrypted) return;
    const secret = 'a text that is nowhere else';
    await write(storage, putText('secret', secret));
    await storage.close();

    const bytes = await harness.storedBytes?.();

    expect(bytes instanceof Uint8Array).toEqual(true);
    expect(new TextDecoder('latin1').decode(bytes).includes(secret)).toEqual(false);
  });

  law(
    'an index still answers after the database was opened again',
    async ({ open, expect }) => {
      const first = await open();
      await write(first, putQueued(1, { lane: 'a', due: 2 }), putQueued(2, { lane: 'a', due: 1 }));
      await first.close();

      const found = await scan(await open(), 'queue', { index: 'lane', prefix: ['a'] });

      expect(found.map((record) => record['position'])).toEqual([2, 1]);
    },
    'durable',
  );

  law(
    'a newer schema adds what is missing and keeps the records',
    async ({ open, expect }) => {
      const older = await open();
      await write(older, putText('b', '2'), putText('a', '1'), putText('c', null));
      await older.close();

      const newer = await open(NEXT_SCHEMA);
      await write(newer, { table: 'extra', put: { id: 1 } });
      await write(newer, { table: 'texts', put: { name: 'd', value: '0', size: 1 } });

      expect(await get(newer, 'texts', ['a'])).toEqual([{ name: 'a', value: '1', size: null }]);
      const byValue = await scan(newer, 'texts', { index: 'value' });
      expect(byValue.map((record) => record['name'])).toEqual(['d', 'a', 'b']);
      const bySize = await scan(newer, 'texts', { index: 'size' });
      expect(bySize.map((record) => record['name'])).toEqual(['d']);
    },
    'durable',
  );

  law(
    'a database of a newer version is refused and stays as it is',
    async ({ harness, open, expect }) => {
      const newer = await open(NEXT_SCHEMA);
      await write(newer, { table: 'texts', put: { name: 'a', value: '1', size: 3 } });
      await newer.close();
      const older = harness.create();

      const code = await failure(open());
      await older.close();

      expect(code).toEqual('storage/version-too-new');
      const again = await open(NEXT_SCHEMA);
      expect(await get(again, 'texts', ['a'])).toEqual([{ name: 'a', value: '1', size: 3 }]);
    },
    'durable',
  );

  law(
    'a storage whose open was refused can be closed, and refuses every call',
    async ({ harness, open, expect }) => {
      await (await open(NEXT_SCHEMA)).close();
      const older = harness.create();

      expect(await rejects(older.open({ version: 1, tables: {} }))).toEqual(true);

      expect(await failure(older.transact('write', async () => 1))).toEqual('storage/closed');
      expect(await failure(older.close())).toEqual('resolved');
    },
    'durable',
  );
}
