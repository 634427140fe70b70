import type { Storage } from '../../core/ports/storage.ts';
import type { StateLaw } from './law.ts';
import { increment } from './atomicity.ts';
import { failure, get, NEXT_SCHEMA, putQueued, putText, scan, write } from './law-schema.ts';

/** Several handles on one database. */
export function contextLaws(law: StateLaw): void {
  law('the claim to share a database is true', async ({ harness, open, expect }) => {
    const first = await open();
    await write(first, putText('a', '1'));

    const isShared = await seesWhatOthersWrite(open);

    expect(isShared).toEqual(harness.create().capabilities.sharedAcrossContexts);
  });

  law(
    'handles see what the others have committed',
    async ({ open, expect }) => {
      const [first, second] = [await open(), await open()];

      await write(first, putText('a', '1'));
      const seen = await get(second, 'texts', ['a']);
      await write(second, putText('a', '2'), putQueued(1, { lane: 'x', due: 1 }));

      expect(seen).toEqual([{ name: 'a', value: '1' }]);
      expect(await get(first, 'texts', ['a'])).toEqual([{ name: 'a', value: '2' }]);
      expect((await scan(first, 'queue', { index: 'lane', prefix: ['x'] })).length).toEqual(1);
    },
    'sharedAcrossContexts',
  );

  law(
    'no update is lost between handles',
    async ({ open, expect }) => {
      const handles = [await open(), await open(), await open()];

      await Promise.all(
        handles.flatMap((storage) =>
          Array.from({ length: 20 }, async () => await increment(storage)),
        ),
      );

      expect(await get(handles[0] as Storage, 'texts', ['counter'])).toEqual([
        { name: 'counter', value: '60' },
      ]);
    },
    'sharedAcrossContexts',
  );

  law(
    'a read sees one state while another handle writes',
    async ({ open, expect }) => {
      const [reader, writer] = [await open(), await open()];
      await write(writer, putText('a', '0'), putText('b', '0'));

      const writing = Array.from({ length: 20 }, async (_, i) => {
        await write(writer, putText('a', String(i)), putText('b', String(i)));
      });
      const reading = Array.from({ length: 20 }, async () => await hasOneState(reader));

      await Promise.all(writing);
      expect(await Promise.all(reading)).toEqual(Array.from({ length: 20 }, () => true));
    },
    'sharedAcrossContexts',
  );

  law(
    'what another handle has not committed is not seen',
    async ({ open, expect }) => {
      const [first, second] = [await open(), await open()];

      const failing = first.transact('write', async (tx) => {
        await tx.write([putText('a', '1')]);
        await tx.scan('texts', { limit: 1 });
        throw new Error('stop');
      });
      const reading = get(second, 'texts', ['a']);

      expect(await failure(failing)).toEqual('stop');
      expect(await reading).toEqual([undefined]);
      expect(await get(second, 'texts', ['a'])).toEqual([undefined]);
    },
    'sharedAcrossContexts',
  );

  law(
    'closing one handle leaves the others at work',
    async ({ open, expect }) => {
      const [first, second] = [await open(), await open()];
      await write(first, putText('a', '1'));

      await first.close();
      await write(second, putText('b', '2'));

      expect((await scan(second, 'texts')).map((record) => record['name'])).toEqual(['a', 'b']);
    },
    'sharedAcrossContexts',
  );

  versionLaws(law);
  foreignCommitLaws(law);
}

function versionLaws(law: StateLaw): void {
  law(
    'a handle stops when another one has brought the database to a newer version',
    async ({ open, expect }) => {
      const older = await open();
      await write(older, putText('a', '1'));
      const newer = await open(NEXT_SCHEMA);

      const code = 'storage/version-too-new';
      expect(await failure(write(older, putText('a', '2')))).toEqual(code);
      expect(await failure(get(older, 'texts', ['a']))).toEqual(code);
      expect(await get(newer, 'texts', ['a'])).toEqual([{ name: 'a', value: '1', size: null }]);
    },
    'sharedAcrossContexts',
  );

  law(
    'handles that open a new database at once all succeed',
    async ({ open, expect }) => {
      const handles = await Promise.all([open(), open(), open(), open()]);

      await Promise.all(handles.map(async (storage, i) => await write(storage, putQueued(i))));

      expect((await scan(handles[0] as Storage, 'queue')).length).toEqual(4);
    },
    'sharedAcrossContexts',
  );
}

function foreignCommitLaws(law: StateLaw): void {
  law('own commits are not foreign', async ({ open, expect }) => {
    const storage = await open();
    const before = await storage.foreignCommits();

    await write(storage, putText('a', '1'));
    await failure(
      storage.transact('write', async (tx) => {
        await tx.write([putText('a', '2')]);
        throw new Error('undone');
      }),
    );

    expect(await storage.foreignCommits()).toEqual(before);
  });

  law(
    'a commit of another handle changes the number of foreign commits',
    async ({ open, expect }) => {
      const [first, second] = [await open(), await open()];
      const seen = [await first.foreignCommits()];

      for (const value of ['1', '2', '3']) {
        await write(second, putText('a', value));
        seen.push(await first.foreignCommits());
        await get(second, 'texts', ['a']);
        seen.push(await first.foreignCommits());
      }

      expect(new Set(seen).size).toEqual(4);
      expect(
        seen.map((number, i) => i === 0 || (number !== seen[i - 1]) === (i % 2 === 1)),
      ).toEqual(seen.map(() => true));
    },
    'sharedAcrossContexts',
  );
}

async function seesWhatOthersWrite(open: () => Promise<Storage>): Promise<boolean> {
  try {
    const [record] = await get(await open(), 'texts', ['a']);
    return record?.['value'] === '1';
  } catch {
    // A driver that allows one context only may refuse the second one.
    return false;
  }
}

async function hasOneState(storage: Storage): Promise<boolean> {
  return await storage.transact('read', async (tx) => {
    const [a] = await tx.get('texts', [['a']]);
    for (let step = 0; step < 5; step += 1) await tx.scan('texts', { limit: 5 });
    const [b] = await tx.get('texts', [['b']]);
    return a?.['value'] === b?.['value'];
  });
}
