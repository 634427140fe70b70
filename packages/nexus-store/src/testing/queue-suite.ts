import type { SyncPriority } from '../core/model/priority.ts';
import type { PrioritySyncQueue } from '../core/queue/priority-sync-queue.ts';
import { requireSuite } from './option-kinds.ts';
import { Bench, claimOf, codeOf, drain, fill, type Law, type QueueHarness } from './queue-bench.ts';
import { testDeadLetters } from './queue-dead-letter-laws.ts';
import type { TestFunctions } from './test-functions.ts';

/**
 * What a `PrioritySyncQueue` promises, as tests to be run over any storage: order, claims and their
 * fences, durability, dead letters, hostile items, several queues and several processes.
 *
 * @param createHarness makes a fresh, empty database for each test
 * @example testQueue('memory', async () => ({ create: () => memoryStorage(), dispose: async () => {} }), { describe, test, expect })
 */
export function testQueue(
  name: string,
  createHarness: () => Promise<QueueHarness>,
  functions: TestFunctions,
): void {
  requireSuite('testQueue', name, createHarness, functions);
  functions.describe(`queue: ${name}`, () => {
    const law: Law = (title, check, needs) =>
      functions.test(title, async () => {
        const bench = new Bench(await createHarness(), functions.expect);
        try {
          if (needs === undefined || bench.storage().capabilities[needs]) await check(bench);
        } finally {
          await bench.close();
        }
      });
    testOrder(law);
    testClaims(law);
    testSettling(law);
    testDeadLetters(law);
    testContent(law);
    testPersistence(law);
    testCompany(law);
  });
}

function testOrder(law: Law): void {
  law('items leave by priority, then first in, first out', async (bench) => {
    const queue = bench.queue();
    await fill(queue, [
      ['a', 'low'],
      ['b'],
      ['c', 'critical'],
      ['d'],
      ['e', 'critical'],
      ['f', 'high'],
    ]);

    bench.expect(await queue.toArray()).toEqual(['c', 'e', 'f', 'b', 'd', 'a']);
    bench.expect(await drain(queue)).toEqual(['c', 'e', 'f', 'b', 'd', 'a']);
  });

  law('what is enqueued at once keeps the order of the calls', async (bench) => {
    const queue = bench.queue();
    const items = Array.from({ length: 500 }, (_, n) => `item ${n}`);
    const ids = await Promise.all(items.map((item) => queue.enqueue(item)));

    bench.expect(new Set(ids).size).toBe(500);
    bench.expect(await queue.length()).toBe(500);
    bench.expect(await queue.toArray()).toEqual(items);
  });

  law('an empty queue gives nothing, and says so', async (bench) => {
    const queue = bench.queue();

    bench.expect(await queue.dequeue()).toBe(undefined);
    bench.expect(await queue.claim()).toBe(undefined);
    bench.expect(await queue.peek()).toBe(undefined);
    bench.expect(await queue.length()).toBe(0);
    bench.expect(await queue.toArray()).toEqual([]);
    await queue.clear();
  });

  law('a peek shows what the next claim takes, and takes nothing', async (bench) => {
    const queue = bench.queue();
    await fill(queue, [
      ['a', 'low'],
      ['b', 'high'],
    ]);

    bench.expect([await queue.peek(), await queue.peek()]).toEqual(['b', 'b']);
    const claim = await claimOf(queue);
    bench.expect(claim.entry.item).toBe('b');
    bench.expect(await queue.peek()).toBe('a');
    await claimOf(queue);
    bench.expect(await queue.peek()).toBe(undefined);
    bench.runtime.jumpWallClock(30_000);
    bench.expect(await queue.peek()).toBe('b');
  });

  law('a priority that is none is refused, and nothing is stored', async (bench) => {
    const queue = bench.queue();

    bench
      .expect(await codeOf(queue.enqueue('a', 'urgent' as SyncPriority)))
      .toBe('usage/unknown-priority');
    bench.expect(await queue.length()).toBe(0);
  });
}

function testClaims(law: Law): void {
  law('a claimed item is held by one runner at a time', async (bench) => {
    const queue = bench.queue();
    await fill(queue, [['a'], ['b'], ['c']]);

    const claims = await Promise.all(Array.from({ length: 5 }, () => queue.claim()));

    const items = claims.flatMap((claim) => claim?.items.map(({ item }) => item) ?? []);
    bench.expect([...items].sort()).toEqual(['a', 'b', 'c']);
    bench.expect(await queue.length()).toBe(3);
  });

  law('a claim takes at most as many as asked, best first', async (bench) => {
    const queue = bench.queue();
    await fill(queue, [['a'], ['b', 'high'], ['c']]);

    const claim = await claimOf(queue, 2);

    bench.expect(claim.items.map(({ item }) => item)).toEqual(['b', 'a']);
    bench.expect(claim.entry.item).toBe('b');
    bench.expect(await codeOf(queue.claim({ limit: 0 }))).toBe('usage/invalid-argument');
  });

  law('an item comes back after its lease, and the late runner is told', async (bench) => {
    const queue = bench.queue();
    await queue.enqueue('a');
    const late = await queue.claim({ leaseMs: 1_000 });
    bench.runtime.jumpWallClock(999);
    bench.expect(await queue.claim()).toBe(undefined);

    bench.runtime.jumpWallClock(1);
    const next = await claimOf(queue);

    bench.expect(next.entry.item).toBe('a');
    bench.expect(next.entry.attempts).toBe(1);
    if (late === undefined) throw new Error('the first claim took nothing');
    for (const settle of [queue.complete(late), queue.release(late), queue.bury(late, 'late')])
      bench.expect(await codeOf(settle)).toBe('queue/claim-lost');
    await queue.complete(next);
    bench.expect(await queue.length()).toBe(0);
  });

  law('a claim is settled once', async (bench) => {
    const queue = bench.queue();
    await queue.enqueue('a');
    const claim = await claimOf(queue);
    await queue.complete(claim);

    bench.expect(await codeOf(queue.complete(claim))).toBe('queue/claim-lost');
  });

  law('a claim that another queue made is refused', async (bench) => {
    const storage = bench.storage();
    const [one, two] = [bench.queue({ storage }), bench.queue({ storage })];
    await one.enqueue('a');
    const claim = await claimOf(one);

    bench.expect(await codeOf(two.complete(claim))).toBe('queue/claim-lost');
  });
}

function testSettling(law: Law): void {
  law('items of a claim may be completed one by one', async (bench) => {
    const queue = bench.queue();
    await fill(queue, [['a'], ['b'], ['c']]);
    const claim = await claimOf(queue, 3);
    const [a, b, c] = claim.items.map(({ id }) => id) as [string, string, string];

    await queue.complete(claim, [b]);
    bench.expect(await codeOf(queue.complete(claim, [b]))).toBe('queue/claim-lost');
    await queue.release(claim, { ids: [c] });
    bench.expect(await queue.toArray()).toEqual(['a', 'c']);
    await queue.complete(claim);

    bench.expect(a).toBe(claim.entry.id);
    bench.expect(await queue.toArray()).toEqual(['c']);
    bench.expect(await drain(queue)).toEqual(['c']);
  });

  law('a released item keeps its place, and counts the attempt', async (bench) => {
    const queue = bench.queue();
    await fill(queue, [['a'], ['b']]);
    await queue.release(await claimOf(queue));

    const again = await claimOf(queue);

    bench.expect(again.entry).toMatchObject({ item: 'a', attempts: 1 });
  });

  law('an item released with a delay waits for it', async (bench) => {
    const queue = bench.queue();
    await fill(queue, [['a', 'critical'], ['b']]);
    await queue.release(await claimOf(queue), { delay: '5s' });

    bench.expect(await queue.peek()).toBe('b');
    bench.expect(await drain(queue)).toEqual(['b']);
    bench.expect(await queue.length()).toBe(1);
    bench.runtime.jumpWallClock(5_000);
    bench.expect(await queue.peek()).toBe('a');
    bench.expect(await drain(queue)).toEqual(['a']);
  });

  law('clear removes everything, and ends the claims', async (bench) => {
    const queue = bench.queue();
    await fill(queue, [['a'], ['b'], ['c']]);
    await queue.bury(await claimOf(queue), 'no');
    const claim = await claimOf(queue);
    await queue.clear();

    bench.expect(await queue.length()).toBe(0);
    bench.expect(await queue.deadLetters()).toEqual([]);
    bench.expect(await codeOf(queue.complete(claim))).toBe('queue/claim-lost');
    await queue.enqueue('new');
    bench.expect(await drain(queue)).toEqual(['new']);
  });

  law('the length follows thousands of changes', async (bench) => {
    const queue = bench.queue();
    const items = Array.from({ length: 1_000 }, (_, n) => `item ${n}`);
    await Promise.all(items.map((item) => queue.enqueue(item)));
    await queue.complete(await claimOf(queue, 300));
    await queue.release(await claimOf(queue, 300), { delay: '1m' });
    await queue.bury(await claimOf(queue, 100), 'no');

    bench.expect(await queue.length()).toBe(600);
    bench.expect((await queue.toArray()).length).toBe(600);
    await queue.clear();
    bench.expect(await queue.length()).toBe(0);
  });
}

function testContent(law: Law): void {
  law('hostile items come back as they were', async (bench) => {
    const queue = bench.queue<unknown>();
    const items: unknown[] = [
      null,
      0,
      false,
      '',
      [],
      {},
      'null',
      '\0 \u2028 ~ \u{1f9ff} \ud800',
      '~{"$nexus":"date"}',
      JSON.parse('{"__proto__":{"polluted":true},"constructor":1}'),
      { $nexus: 'date', value: 'x' },
      new Date(0),
      new Uint8Array([0, 255]),
      new Map([[{ a: 1 }, new Set([undefined])]]),
      [Number.NaN, -0, Number.POSITIVE_INFINITY, 2n ** 70n],
      { deep: JSON.parse('['.repeat(400) + ']'.repeat(400)) as unknown },
      'x'.repeat(1_000_000),
    ];
    for (const item of items) await queue.enqueue(item);

    const back: unknown[] = [];
    while ((await queue.length()) > 0) back.push(await queue.dequeue());
    bench.expect(back).toEqual(items);
    bench.expect(({} as { polluted?: boolean }).polluted).toBe(undefined);
  });

  law('items that cannot come back are refused, and nothing is stored', async (bench) => {
    const queue = bench.queue<unknown>();
    const circle: { self?: unknown } = {};
    circle.self = circle;

    for (const item of [() => 0, Symbol('s'), circle, { at: [class {}] }])
      bench.expect(await codeOf(queue.enqueue(item))).toBe('usage/unsupported-value');
    bench.expect(await queue.length()).toBe(0);
  });

  law("an item given out is the caller's own", async (bench) => {
    const queue = bench.queue<{ n: number }>();
    const item = { n: 1 };
    await queue.enqueue(item);
    item.n = 2;
    const first = await queue.peek();
    if (first !== undefined) first.n = 3;

    bench.expect(await queue.dequeue()).toEqual({ n: 1 });
  });

  law('limits refuse what is too much, and keep a tenth for critical items', async (bench) => {
    const queue = bench.queue({ limits: { maxEntries: 10, maxEntryBytes: 1_000 } });
    for (let n = 0; n < 9; n += 1) await queue.enqueue(`item ${n}`);

    bench.expect(await codeOf(queue.enqueue('one more'))).toBe('queue/full');
    bench.expect(await codeOf(queue.enqueue('x'.repeat(1_000)))).toBe('queue/entry-too-large');
    await queue.enqueue('urgent', 'critical');
    bench.expect(await codeOf(queue.enqueue('one more', 'critical'))).toBe('queue/full');
    bench.expect(await queue.length()).toBe(10);
  });
}

function testPersistence(law: Law): void {
  law(
    'everything is there after a restart, in order',
    async (bench) => {
      const before = bench.queue();
      await fill(before, [['a'], ['b', 'critical'], ['c'], ['bad', 'critical']]);
      const claim = await claimOf(before, 2);
      await before.bury(claim, 'no', [claim.items[1]?.id ?? '']);
      await before.release(claim);
      await before.close();

      const after = bench.queue();
      bench.expect(await after.length()).toBe(3);
      bench.expect((await after.deadLetters()).map(({ item }) => item)).toEqual(['bad']);
      bench.expect(await drain(after)).toEqual(['b', 'a', 'c']);
    },
    'durable',
  );

  law(
    'a claim outlives its process, and ends with its lease',
    async (bench) => {
      const before = bench.queue();
      await before.enqueue('a');
      await claimOf(before);
      await before.close();

      const after = bench.queue();
      bench.expect(await after.claim()).toBe(undefined);
      bench.runtime.jumpWallClock(30_000);
      bench.expect((await claimOf(after)).entry.item).toBe('a');
    },
    'durable',
  );

  law(
    'ids are never given twice, restarts included',
    async (bench) => {
      const ids: string[] = [];
      for (let n = 0; n < 3; n += 1) {
        const queue = bench.queue();
        ids.push(await queue.enqueue('a'));
        await queue.dequeue();
        await queue.close();
      }

      bench.expect(new Set(ids).size).toBe(3);
    },
    'durable',
  );
}

function testCompany(law: Law): void {
  law('queues of other names on one storage do not meet', async (bench) => {
    const storage = bench.storage();
    const mails = bench.queue({ storage, name: 'mails' });
    const photos = bench.queue({ storage, name: 'photos' });
    await Promise.all([mails.enqueue('mail'), photos.enqueue('photo')]);
    await claimOf(photos);

    bench.expect(await mails.toArray()).toEqual(['mail']);
    bench.expect([await mails.length(), await photos.length()]).toEqual([1, 1]);
    await mails.clear();
    bench.expect(await photos.toArray()).toEqual(['photo']);
  });

  law('queues of one name on one storage are one queue', async (bench) => {
    const storage = bench.storage();
    const [one, two] = [bench.queue({ storage }), bench.queue({ storage })];
    await one.enqueue('a');
    await two.enqueue('b', 'high');
    const claim = await claimOf(one);

    bench.expect(claim.entry.item).toBe('b');
    bench.expect(await drain(two)).toEqual(['a']);
    bench.expect(await one.length()).toBe(1);
  });

  law(
    'several processes enqueue and claim at once: each item is held once',
    async (bench) => {
      const queues = [bench.queue(), bench.queue(), bench.queue()];
      const items = Array.from({ length: 60 }, (_, n) => `item ${n}`);
      const enqueue = async (item: string, n: number): Promise<void> => {
        await queues[n % queues.length]?.enqueue(item);
      };
      await Promise.all(items.map(enqueue));

      const taken: string[] = [];
      const run = async (queue: PrioritySyncQueue<string>): Promise<void> => {
        for (;;) {
          const claim = await queue.claim({ limit: 3 });
          if (claim === undefined) return;
          taken.push(...claim.items.map(({ item }) => item));
          await queue.complete(claim);
        }
      };
      await Promise.all(queues.map(run));

      bench.expect([...taken].sort()).toEqual([...items].sort());
      bench.expect(await queues[0]?.length()).toBe(0);
    },
    'sharedAcrossContexts',
  );

  law(
    'a process takes over what another one held too long, and the other is told',
    async (bench) => {
      const [dead, alive] = [bench.queue(), bench.queue()];
      await dead.enqueue('a');
      const lost = await claimOf(dead);
      bench.expect(await alive.claim()).toBe(undefined);

      bench.runtime.jumpWallClock(30_000);
      const taken = await claimOf(alive);

      bench.expect(await codeOf(dead.complete(lost))).toBe('queue/claim-lost');
      await alive.complete(taken);
      bench.expect(await dead.length()).toBe(0);
    },
    'sharedAcrossContexts',
  );
}
