import { describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { QueueFixture, type MutationWish } from '../../testing/queue-fixture.ts';
import { retry } from '../../testing/queue-hands.ts';
import { decodeValue } from '../model/value-codec.ts';
import type { Claim } from './claim.ts';
import type { CollectionRules } from './collection-rules.ts';
import { changeEntryPriority } from './control.ts';
import { rebaseOnPull } from './conflict.ts';
import { closeGroup, enqueueMutation } from './enqueue.ts';
import { detailOf, type RowRecord } from './records.ts';

const failure = { code: 'remote/server', at: 0 };

function open(rules: Partial<CollectionRules> = {}): Promise<QueueFixture> {
  return QueueFixture.open(memoryStorage(), rules);
}

const creates: MutationWish = { operation: 'create' };
const patches: MutationWish = { detail: { isPatch: true } };

/** What waits for one entity, in order. */
async function lane(queue: QueueFixture): Promise<unknown[]> {
  return (await queue.entries())
    .toSorted((a, b) => a.seq - b.seq)
    .map(({ seq, operation, payload }) => [
      seq,
      operation,
      payload === null ? null : decodeValue(payload),
    ]);
}

async function local(queue: QueueFixture): Promise<unknown> {
  const text = (await queue.row('a'))?.value ?? null;
  return text === null ? null : decodeValue(text);
}

/** An entity that the server has, with nothing waiting. */
async function synced(rules?: Partial<CollectionRules>): Promise<QueueFixture> {
  const queue = await open(rules);
  await queue.add('a', { t: 0, kept: 1 }, creates);
  await queue.drain();
  return queue;
}

describe('a fresh create', () => {
  test('and an update become one create that keeps its seq and key', async () => {
    const queue = await open();
    await queue.enqueue('a', { t: 1 }, { ...creates, key: 'first' });

    expect(await queue.enqueue('a', { t: 2 })).toEqual({ seq: 1, effect: 'merged' });

    expect(await lane(queue)).toEqual([[1, 'create', { t: 2 }]]);
    expect((await queue.entry(1))?.idempotencyKey).toBe('first');
    expect(await local(queue)).toEqual({ t: 2 });
  });

  test('and a patch become one create with the fields of both', async () => {
    const queue = await open();
    await queue.enqueue('a', { t: 1, u: 1 }, creates);

    await queue.enqueue('a', { u: 2 }, patches);

    expect(await lane(queue)).toEqual([[1, 'create', { t: 1, u: 2 }]]);
    expect(detailOf((await queue.entry(1)) as never).isPatch).toBeUndefined();
  });

  test('takes the better priority of both, and never the worse', async () => {
    const queue = await open();
    await queue.enqueue('a', { t: 1 }, { ...creates, priority: 3 });

    await queue.enqueue('a', { t: 2 }, { priority: 1 });
    await queue.enqueue('a', { t: 3 }, { priority: 2 });

    expect((await queue.entry(1))?.priority).toBe(1);
    expect((await queue.counters()).pending).toEqual([0, 1, 0, 0]);
  });

  test('and a delete both vanish, with an event', async () => {
    const queue = await open();
    await queue.enqueue('a', { t: 1 }, creates);

    expect(await queue.enqueue('a', null)).toEqual({ seq: null, effect: 'vanished' });

    expect(await queue.entries()).toEqual([]);
    expect(await queue.row('a')).toBeUndefined();
    expect(queue.events).toEqual(['entry-vanished']);
    expect(await queue.counters()).toEqual({
      pending: [0, 0, 0, 0],
      dead: 0,
      conflicts: 0,
      bytes: 0,
    });
  });

  test('and a delete become a delete if a pull has brought a row of that id meanwhile', async () => {
    const queue = await open();
    await queue.enqueue('a', { t: 1 }, creates);
    const theirs = { version: 'v1', value: '{"t":9}' };
    await queue.write(async (uow) =>
      rebaseOnPull(uow, (await uow.row(0, 'notes', 'a')) as RowRecord, theirs, false, queue.rules),
    );

    expect(await queue.enqueue('a', null)).toEqual({ seq: 1, effect: 'merged' });

    expect(await lane(queue)).toEqual([[1, 'delete', null]]);
    expect(await local(queue)).toBeNull();
  });

  test('and a second create: the entity exists', async () => {
    const queue = await open();
    await queue.enqueue('a', { t: 1 }, creates);

    await expect(queue.enqueue('a', { t: 2 }, creates)).rejects.toMatchObject({
      code: 'store/exists',
    });

    expect(await lane(queue)).toEqual([[1, 'create', { t: 1 }]]);
  });
});

describe('a fresh update', () => {
  test('and an update become one, and the server sees the first base', async () => {
    const queue = await synced();
    await queue.enqueue('a', { t: 1 });

    expect(await queue.enqueue('a', { t: 2 })).toEqual({ seq: 2, effect: 'merged' });

    expect(await lane(queue)).toEqual([[2, 'update', { t: 2 }]]);
    expect((await queue.row('a'))?.shadow).toBe('{"t":0,"kept":1}');
  });

  test('that is a patch and another patch stay a patch, later fields winning', async () => {
    const queue = await synced();
    await queue.enqueue('a', { t: 1, u: 1 }, patches);

    await queue.enqueue('a', { u: 2, w: 3 }, patches);

    expect(await lane(queue)).toEqual([[2, 'update', { t: 1, u: 2, w: 3 }]]);
    expect(await local(queue)).toEqual({ t: 1, kept: 1, u: 2, w: 3 });
    expect(detailOf((await queue.entry(2)) as never).isPatch).toBe(true);
  });

  test('that is a patch and a whole value become whole', async () => {
    const queue = await synced();
    await queue.enqueue('a', { t: 1 }, patches);

    await queue.enqueue('a', { u: 2 });

    expect(await lane(queue)).toEqual([[2, 'update', { u: 2 }]]);
    expect((await queue.entry(2))?.detail).toBeNull();
    expect(await local(queue)).toEqual({ u: 2 });
  });

  test('and a delete become one delete with the first base', async () => {
    const queue = await synced();
    await queue.enqueue('a', { t: 1 }, { priority: 3 });

    expect(await queue.enqueue('a', null, { priority: 0 })).toEqual({ seq: 2, effect: 'merged' });

    expect(await lane(queue)).toEqual([[2, 'delete', null]]);
    expect((await queue.row('a'))?.shadow).toBe('{"t":0,"kept":1}');
    expect(await local(queue)).toBeNull();
    expect((await queue.entry(2))?.priority).toBe(0);
  });

  test('and a create: the entity exists', async () => {
    const queue = await synced();
    await queue.enqueue('a', { t: 1 });

    await expect(queue.enqueue('a', { t: 2 }, creates)).rejects.toMatchObject({
      code: 'store/exists',
    });
  });

  test('takes over the time to live of the newer one', async () => {
    const queue = await synced();
    await queue.enqueue('a', { t: 1 }, { expiresAt: 5 });

    await queue.enqueue('a', { t: 2 });

    expect((await queue.entry(2))?.expiresAt).toBeNull();
  });

  test('and a patch of another schema version are kept apart', async () => {
    const queue = await synced();
    await queue.enqueue('a', { t: 1 });

    await queue.enqueue('a', { u: 2 }, { detail: { isPatch: true, schemaVersion: 2 } });
    await queue.enqueue('a', { w: 2 }, { detail: { schemaVersion: 3 } });

    expect(await lane(queue)).toEqual([
      [2, 'update', { t: 1 }],
      [3, 'update', { w: 2 }],
    ]);
    expect(detailOf((await queue.entry(3)) as never)).toMatchObject({ schemaVersion: 3 });
  });
});

describe('a fresh delete', () => {
  test('and an update: the entity is not found', async () => {
    const queue = await synced();
    await queue.enqueue('a', null);

    await expect(queue.enqueue('a', { t: 1 })).rejects.toMatchObject({ code: 'store/not-found' });

    expect(await lane(queue)).toEqual([[2, 'delete', null]]);
  });

  test('and a delete are one delete, as urgent as the more urgent', async () => {
    const queue = await synced();
    await queue.enqueue('a', null);

    expect(await queue.enqueue('a', null)).toEqual({ seq: 2, effect: 'nothing' });
    expect(await queue.enqueue('a', null, { priority: 0 })).toEqual({ seq: 2, effect: 'merged' });

    expect(await lane(queue)).toEqual([[2, 'delete', null]]);
    expect(await queue.claimed()).toEqual([2]);
    expect((await queue.counters()).pending).toEqual([1, 0, 0, 0]);
  });

  test('and a create are both kept, in order', async () => {
    const queue = await synced();
    await queue.enqueue('a', null);

    await queue.enqueue('a', { t: 5 }, creates);

    expect(await lane(queue)).toEqual([
      [2, 'delete', null],
      [3, 'create', { t: 5 }],
    ]);
    expect(await queue.drain()).toEqual([2, 3]);
    expect(await local(queue)).toEqual({ t: 5 });
  });
});

describe.each(['claimed', 'ambiguous', 'dead'] as const)('an entry that is %s', (state) => {
  async function frozen(value: unknown, wish: MutationWish): Promise<QueueFixture> {
    const queue = await open();
    await queue.enqueue('a', value, wish);
    const claim = await queue.claim();
    if (claim === undefined || state === 'claimed') return queue;
    await queue.settle(
      claim,
      state === 'dead'
        ? { kind: 'bury', failure, consumesAttempt: true }
        : { kind: 'release', ambiguous: 1, notBefore: null, consumesAttempt: false, failure },
    );
    return queue;
  }

  test.each([
    ['create', { t: 1 }],
    ['update', { t: 1 }],
    ['delete', null],
  ] as const)(
    'and was a %s is left alone: what is new goes behind it',
    async (operation, value) => {
      for (const [next, newValue] of [
        ['update', { t: 2 }],
        ['delete', null],
        ['create', { t: 3 }],
      ] as const) {
        const queue = await frozen(value, { operation, key: 'frozen' });
        const before = await queue.entry(1);

        const result = await queue.enqueue('a', newValue, { operation: next });

        expect(result).toEqual({ seq: 2, effect: 'appended' });
        expect(await queue.entry(1)).toEqual(before);
        expect(await lane(queue)).toEqual([
          [1, operation, value],
          [2, next, newValue],
        ]);
      }
    },
  );

  test('has at most one merged tail behind it', async () => {
    const queue = await frozen({ t: 1 }, creates);

    for (const t of [2, 3, 4]) await queue.enqueue('a', { t });

    expect(await lane(queue)).toEqual([
      [1, 'create', { t: 1 }],
      [2, 'update', { t: 4 }],
    ]);
  });
});

describe('the idempotency key of a merged entry', () => {
  async function released(ambiguous: 0 | null): Promise<QueueFixture> {
    const queue = await open();
    await queue.enqueue('a', { t: 1 }, { ...creates, key: 'old' });
    const claim = await queue.claim();
    if (claim !== undefined)
      await queue.settle(claim, {
        kind: 'release',
        ambiguous,
        notBefore: null,
        consumesAttempt: false,
      });
    await queue.enqueue('a', { t: 2 }, { key: 'new' });
    return queue;
  }

  test('is new once a server may have seen the old payload under the old one', async () => {
    const queue = await released(0);

    expect(await queue.entry(1)).toMatchObject({ idempotencyKey: 'new', ambiguous: null });
  });

  test('stays if the entry was taken but not sent', async () => {
    const queue = await released(null);

    expect((await queue.entry(1))?.idempotencyKey).toBe('old');
  });
});

describe('commands', () => {
  const add = (command: string): MutationWish => ({ operation: 'command', detail: { command } });
  const merging: Partial<CollectionRules> = {
    merge: (previous, next) => (previous as number) + (next as number),
    applyCommand: (value, _command, args) => ({
      ...(value as object),
      n: ((value as { n?: number }).n ?? 0) + (args as number),
    }),
  };

  test('are kept one by one unless the collection can merge them', async () => {
    const queue = await synced();

    await queue.enqueue('a', 1, add('increment'));
    await queue.enqueue('a', 2, add('increment'));

    expect(await lane(queue)).toEqual([
      [2, 'command', 1],
      [3, 'command', 2],
    ]);
  });

  test('of one name merge as the collection says', async () => {
    const queue = await synced(merging);

    await queue.enqueue('a', 1, add('increment'));
    await queue.enqueue('a', 2, add('increment'));
    await queue.enqueue('a', 4, add('decrement'));

    expect(await lane(queue)).toEqual([
      [2, 'command', 3],
      [3, 'command', 4],
    ]);
    expect(await local(queue)).toEqual({ t: 0, kept: 1, n: 7 });
  });

  interface Args {
    by: number;
  }
  const unsound: readonly [string, NonNullable<CollectionRules['merge']>][] = [
    [
      'gives back nothing, having changed its arguments',
      (previous, next) => {
        (previous as Args).by += (next as Args).by;
        (next as Args).by = 0;
      },
    ],
    ['gives back what cannot be stored', () => () => 3],
    ['comes back later', async (previous) => previous],
    [
      'throws',
      () => {
        throw new Error('cannot');
      },
    ],
  ];

  test.each(unsound)('go one by one, as they were made, where merge %s', async (_, merge) => {
    const failed: string[] = [];
    const queue = await synced({ merge, onMergeFailed: (command) => failed.push(command) });
    await queue.enqueue('a', { by: 1 }, add('increment'));

    expect(await queue.enqueue('a', { by: 2 }, add('increment'))).toEqual({
      seq: 3,
      effect: 'appended',
    });

    expect(await lane(queue)).toEqual([
      [2, 'command', { by: 1 }],
      [3, 'command', { by: 2 }],
    ]);
    expect(failed).toEqual(['increment']);
  });

  test.each(unsound)('can be retried where merge %s', async (_, merge) => {
    const queue = await synced({ merge });
    await queue.enqueue('a', { by: 1 }, add('increment'));
    const claim = await queue.claim();
    await queue.settle(claim as Claim, { kind: 'bury', failure, consumesAttempt: true });
    await queue.enqueue('a', { by: 2 }, add('increment'));

    expect(await retry(queue, 2)).toBe('queued');

    expect(await queue.drain()).toEqual([2, 3]);
  });

  test('without arguments merge into one without', async () => {
    const queue = await synced({ merge: (_, next) => next });
    await queue.enqueue('a', undefined, add('touch'));
    await queue.enqueue('a', undefined, add('touch'));

    expect(await lane(queue)).toEqual([[2, 'command', undefined]]);
  });

  test('may be merged in place: what the caller passed stays as it is', async () => {
    const merge = (previous: unknown, next: unknown): unknown => {
      (previous as Args).by += (next as Args).by;
      return previous;
    };
    const args = [{ by: 1 }, { by: 2 }];
    const queue = await synced({ merge });
    for (const each of args) await queue.enqueue('a', each, add('increment'));

    expect(await lane(queue)).toEqual([[2, 'command', { by: 3 }]]);
    expect(args).toEqual([{ by: 1 }, { by: 2 }]);
  });

  test('do not merge with saves and deletes', async () => {
    const queue = await synced(merging);

    await queue.enqueue('a', { t: 1 });
    await queue.enqueue('a', 1, add('increment'));
    await queue.enqueue('a', { t: 2 });
    await queue.enqueue('a', 1, add('increment'));
    await queue.enqueue('a', null);

    expect((await lane(queue)).map((entry) => (entry as unknown[])[1])).toEqual([
      'update',
      'command',
      'update',
      'command',
      'delete',
    ]);
  });
});

describe('nothing is folded', () => {
  test('where the collection keeps every mutation', async () => {
    const queue = await open({ coalesce: false });

    await queue.enqueue('a', { t: 1 }, creates);
    await queue.enqueue('a', { t: 2 });
    await queue.enqueue('a', null);

    expect(await lane(queue)).toEqual([
      [1, 'create', { t: 1 }],
      [2, 'update', { t: 2 }],
      [3, 'delete', null],
    ]);
  });

  test('across the edge of a transaction, on either side', async () => {
    const queue = await open();
    await queue.enqueue('a', { t: 1 }, creates);
    await queue.write(async (uow) => {
      const detail = { group: 'g2' };
      await enqueueMutation(
        uow,
        queue.mutation('a', { t: 2 }, { detail }),
        queue.rules,
        queue.limits,
      );
      await enqueueMutation(
        uow,
        queue.mutation('a', { t: 3 }, { detail }),
        queue.rules,
        queue.limits,
      );
      await closeGroup(uow, 0, [2]);
    });

    await queue.enqueue('a', { t: 4 });

    expect(await lane(queue)).toEqual([
      [1, 'create', { t: 1 }],
      [2, 'update', { t: 3 }],
      [3, 'update', { t: 4 }],
    ]);
  });

  test('into an entry that names what it comes after', async () => {
    const queue = await open();
    await queue.enqueue('parent', { t: 0 }, creates);
    await queue.enqueue('a', { t: 1 }, creates);

    await queue.enqueue('a', { t: 2 }, { after: [1] });

    expect((await queue.entries()).length).toBe(3);
  });
});

describe('folding', () => {
  test('goes on after a restart', async () => {
    const database = memoryDatabase();
    const before = await QueueFixture.open(memoryStorage({ database }));
    await before.enqueue('a', { t: 1 }, creates);
    await before.storage.close();

    const after = await QueueFixture.open(memoryStorage({ database }));
    await after.enqueue('a', { t: 2 });

    expect(await lane(after)).toEqual([[1, 'create', { t: 2 }]]);
  });

  test('after a restart finds an entry frozen that was being sent', async () => {
    const database = memoryDatabase();
    const before = await QueueFixture.open(memoryStorage({ database }));
    await before.enqueue('a', { t: 1 }, creates);
    await before.claim();
    await before.storage.close();

    const after = await QueueFixture.open(memoryStorage({ database }));
    await after.enqueue('a', { t: 2 });

    expect(await lane(after)).toEqual([
      [1, 'create', { t: 1 }],
      [2, 'update', { t: 2 }],
    ]);
  });

  test('keeps the backoff and the attempts of the entry', async () => {
    const queue = await open();
    await queue.enqueue('a', { t: 1 }, creates);
    const claim = await queue.claim();
    const notBefore = queue.now + 500;
    if (claim !== undefined)
      await queue.settle(claim, {
        kind: 'release',
        ambiguous: 0,
        notBefore,
        consumesAttempt: true,
        failure,
      });

    await queue.enqueue('a', { t: 2 }, { priority: 0 });

    expect(await queue.entry(1)).toMatchObject({ notBefore, attempts: 1, priority: 0 });
    expect(await queue.claimed()).toEqual([]);
  });

  test('sizes the queue by what is left', async () => {
    const queue = await open();
    await queue.enqueue('a', { t: 'x'.repeat(500) }, creates);
    const large = (await queue.counters()).bytes;

    await queue.enqueue('a', { t: 'x' });

    expect((await queue.counters()).bytes).toBe(large - 499);
    await queue.write((uow) => changeEntryPriority(uow, 0, 1, 0));
    expect((await queue.counters()).bytes).toBe(large - 499);
  });
});
