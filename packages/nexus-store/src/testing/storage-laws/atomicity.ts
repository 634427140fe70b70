import type { Change, Storage, StorageTransaction } from '../../core/ports/storage.ts';
import type { LawTools, StateLaw } from './law.ts';
import {
  contents,
  failure,
  get,
  putFact,
  putQueued,
  putText,
  rejects,
  scan,
  write,
} from './law-schema.ts';

/** Far more steps than any driver needs for the transaction that is cut short. */
const MOST_STEPS = 200;

/** All or nothing, one after another. */
export function atomicityLaws(law: StateLaw): void {
  allOrNothingLaws(law);
  faultLaws(law);
  isolationLaws(law);
  transactionLaws(law);
}

const FIRST: readonly Change[] = [
  putText('a', '1'),
  putText('b', '2'),
  putQueued(1, { lane: 'x', due: 5 }),
  putQueued(2, { lane: 'x', due: 4 }),
  { table: 'rows', put: { area: 1, kind: 'k', id: 1, value: 'v', tag: 't' } },
  { table: 'links', put: { from: 1, to: 2 } },
  putFact('kept', '1'),
  putFact('gone', '2'),
];

/** Replaces, deletes and inserts, in two writes with a read between them. */
async function change(tx: StorageTransaction, between: () => void = () => {}): Promise<void> {
  await tx.write([
    putText('a', 'changed'),
    { table: 'texts', delete: ['b'] },
    putQueued(1, { lane: 'y', due: null }),
    { table: 'queue', delete: [2] },
    putQueued(3, { lane: 'x', due: 1 }),
    putFact('kept', 'changed'),
    { table: 'facts', delete: ['gone'] },
    putFact('new', '3'),
  ]);
  await tx.scan('queue', { limit: 10 });
  between();
  await tx.write([
    putText('c', '3'),
    { table: 'rows', delete: [1, 'k', 1] },
    { table: 'links', put: { from: 3, to: 4 } },
    { table: 'links', delete: [1, 2] },
  ]);
}

function allOrNothingLaws(law: StateLaw): void {
  law('a body that throws changes nothing, and its error is passed on', async (tools) => {
    const { open, expect } = tools;
    const storage = await open();
    await write(storage, ...FIRST);
    const before = await everything(storage);

    const interrupted = storage.transact('write', async (tx) => {
      await change(tx, () => {
        throw new Error('stop here');
      });
    });

    expect(await failure(interrupted)).toEqual('stop here');
    expect(await everything(storage)).toEqual(before);
    await expectUsable(storage, expect);
  });

  law('a write that fails halfway changes nothing', async ({ open, expect }) => {
    const storage = await open();
    await write(storage, ...FIRST);
    const before = await everything(storage);

    const failing = storage.transact('write', async (tx) => {
      await change(tx);
      await tx.write([putText('d', '4'), { table: 'nowhere', put: { a: 1 } }, putText('e', '5')]);
    });

    expect(await rejects(failing)).toEqual(true);
    expect(await everything(storage)).toEqual(before);
    await expectUsable(storage, expect);
  });

  law('a transaction whose failed write was caught fails all the same', async (tools) => {
    const { open, expect } = tools;
    const storage = await open();

    const failing = storage.transact('write', async (tx) => {
      await tx.write([putText('a', '1')]);
      await failure(tx.write([{ table: 'nowhere', put: { a: 1 } }]));
      await failure(tx.write([putText('b', '2')]));
    });

    expect(await rejects(failing)).toEqual(true);
    expect(await scan(storage, 'texts')).toEqual([]);
  });

  law('a record that lacks a column is refused', async ({ open, expect }) => {
    const storage = await open();

    expect(await rejects(write(storage, { table: 'texts', put: { name: 'a' } }))).toEqual(true);
    expect(await scan(storage, 'texts')).toEqual([]);
  });
}

function faultLaws(law: StateLaw): void {
  law(
    'a fault in any one step leaves the database as it was',
    async ({ harness, open, expect }) => {
      const { failStep } = harness;
      if (failStep === undefined) return;
      const storage = await open();
      await write(storage, ...FIRST);
      const before = await everything(storage);

      let isClean = false;
      let struck = 0;
      for (let nth = 1; nth <= MOST_STEPS && !isClean; nth += 1) {
        const fault = failStep(nth);
        const result = await failure(storage.transact('write', async (tx) => await change(tx)));
        fault.disarm();
        isClean = !fault.hasStruck();
        if (!isClean) {
          struck += 1;
          expect([nth, result.startsWith('storage/')]).toEqual([nth, true]);
          expect([nth, await everything(storage)]).toEqual([nth, before]);
        } else {
          expect(result).toEqual('resolved');
        }
      }

      expect([isClean, struck > 0]).toEqual([true, true]);
      expect(await scan(storage, 'texts')).toEqual([
        { name: 'a', value: 'changed' },
        { name: 'c', value: '3' },
      ]);
      await expectUsable(storage, expect);
    },
  );
}

function isolationLaws(law: StateLaw): void {
  law('concurrent transactions lose no update', async ({ open, expect }) => {
    const storage = await open();

    await Promise.all(Array.from({ length: 50 }, async () => await increment(storage)));

    expect(await get(storage, 'texts', ['counter'])).toEqual([{ name: 'counter', value: '50' }]);
  });

  law('concurrent callers are served in turn', async ({ open, expect }) => {
    const storage = await open();
    const served: number[] = [];

    await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        await storage.transact(i % 3 === 0 ? 'read' : 'write', async (tx) => {
          await tx.scan('texts', { limit: 1 });
          served.push(i);
        });
      }),
    );

    expect(served).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });

  law('a read sees one state while others write', async ({ open, expect }) => {
    const storage = await open();
    await write(storage, putText('a', '0'), putText('b', '0'));

    const seen = await Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        const read = storage.transact('read', async (tx) => {
          const first = await tx.get('texts', [['a']]);
          for (let step = 0; step < 5; step += 1) await tx.scan('texts', { limit: 5 });
          const second = await tx.get('texts', [['b']]);
          return first[0]?.['value'] === second[0]?.['value'];
        });
        await write(storage, putText('a', String(i)), putText('b', String(i)));
        return await read;
      }),
    );

    expect(seen).toEqual(Array.from({ length: 10 }, () => true));
  });

  law('a failing transaction does not disturb its neighbours', async ({ open, expect }) => {
    const storage = await open();

    const results = await Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        const body = async (tx: StorageTransaction): Promise<void> => {
          await tx.write([putQueued(i)]);
          if (i % 2 === 1) throw new Error('odd');
        };
        return await failure(storage.transact('write', body));
      }),
    );

    expect(results.filter((result) => result === 'odd').length).toEqual(5);
    const positions = (await scan(storage, 'queue')).map((record) => record['position']);
    expect(positions).toEqual([0, 2, 4, 6, 8]);
  });
}

function transactionLaws(law: StateLaw): void {
  law('a transaction reads what it has written', async ({ open, expect }) => {
    const storage = await open();
    await write(storage, putQueued(1, { lane: 'a', due: 1 }), putQueued(2, { lane: 'a', due: 2 }));

    const seen = await storage.transact('write', async (tx) => {
      await tx.write([putQueued(3, { lane: 'a', due: 0 }), { table: 'queue', delete: [2] }]);
      const [replaced, deleted] = await tx.get('queue', [[3], [2]]);
      const lane = await tx.scan('queue', { index: 'lane', prefix: ['a'], limit: 9 });
      return [replaced?.['due'], deleted, lane.map((record) => record['position'])];
    });

    expect(seen).toEqual([0, undefined, [3, 1]]);
  });

  law('a read transaction refuses to write', async ({ open, expect }) => {
    const storage = await open();

    const writing = storage.transact('read', async (tx) => await tx.write([putText('a', '1')]));

    expect(await rejects(writing)).toEqual(true);
    expect(await scan(storage, 'texts')).toEqual([]);
  });

  law('a transaction that has ended refuses every step', async ({ open, expect }) => {
    const storage = await open();
    const ended = await storage.transact('write', async (tx) => ({ tx }));

    expect(await rejects(ended.tx.write([putText('a', '1')]))).toEqual(true);
    expect(await rejects(ended.tx.get('texts', [['a']]))).toEqual(true);
    expect(await rejects(ended.tx.scan('texts', { limit: 1 }))).toEqual(true);
    expect(await scan(storage, 'texts')).toEqual([]);
  });

  law('an empty write and an empty transaction are fine', async ({ open, expect }) => {
    const storage = await open();

    await write(storage);
    expect(await get(storage, 'texts')).toEqual([]);
  });

  law('deleting what is not there changes nothing', async ({ open, expect }) => {
    const storage = await open();
    await write(storage, ...FIRST);
    const before = await everything(storage);

    await write(
      storage,
      { table: 'texts', delete: ['z'] },
      { table: 'rows', delete: [1, 'k', '1'] },
    );

    expect(await everything(storage)).toEqual(before);
  });
}

/** Adds one to a counter with a read before the write, where an update could get lost. */
export async function increment(storage: Storage): Promise<void> {
  await storage.transact('write', async (tx) => {
    const [record] = await tx.get('texts', [['counter']]);
    await tx.write([putText('counter', String(Number(record?.['value'] ?? 0) + 1))]);
  });
}

/** The records, also as the indexes see them, and as those read them who know their keys. */
async function everything(storage: Storage): Promise<unknown> {
  return [
    await contents(storage),
    await get(storage, 'facts', ['kept'], ['gone'], ['new']),
    await scan(storage, 'queue', { index: 'lane' }),
    await scan(storage, 'queue', { index: 'due' }),
    await scan(storage, 'rows', { index: 'tag' }),
  ];
}

async function expectUsable(storage: Storage, expect: LawTools['expect']): Promise<void> {
  await write(storage, putText('after', 'fine'));
  expect(await get(storage, 'texts', ['after'])).toEqual([{ name: 'after', value: 'fine' }]);
}
