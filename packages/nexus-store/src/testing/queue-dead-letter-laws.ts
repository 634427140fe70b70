import type { PrioritySyncQueue } from '../core/queue/priority-sync-queue.ts';
import type { QueueItem } from '../core/queue/queue-item.ts';
import { claimOf, codeOf, drain, fill, type Law } from './queue-bench.ts';

/** Buries the item that a claim takes next, and gives back the dead letter. */
async function buryNext<T>(queue: PrioritySyncQueue<T>, reason: string): Promise<QueueItem<T>> {
  const claim = await claimOf(queue);
  await queue.bury(claim, reason);
  const letter = (await queue.deadLetters()).find(({ id }) => id === claim.entry.id);
  if (letter === undefined) throw new Error('what was buried is no dead letter');
  return letter;
}

/** What becomes of items that nobody can handle: they are kept for people, who retry or discard them. */
export function testDeadLetters(law: Law): void {
  law('a buried item stays readable and is not taken again', async (bench) => {
    const queue = bench.queue();
    await fill(queue, [['bad'], ['good']]);
    await queue.bury(await claimOf(queue), 'cannot be read');

    bench.expect(await drain(queue)).toEqual(['good']);
    bench.expect(await queue.length()).toBe(0);
    bench.expect((await queue.deadLetters()).map(({ item }) => item)).toEqual(['bad']);
    bench.expect(await queue.toArray()).toEqual([]);
  });

  law(
    'a dead letter says why it was buried, and other items have nothing to say',
    async (bench) => {
      const queue = bench.queue();
      await fill(queue, [['bad'], ['good']]);
      const buriedAt = bench.runtime.clock.now();
      const letter = await buryNext(queue, 'no such address');

      bench.expect(letter).toMatchObject({ item: 'bad', attempts: 1 });
      bench
        .expect(letter.lastFailure)
        .toEqual({ code: 'queue/buried', detail: 'no such address', at: buriedAt });
      bench.expect((await claimOf(queue)).entry.lastFailure).toBe(null);
    },
  );

  law(
    'a dead letter that is retried comes back at its old place, with new attempts',
    async (bench) => {
      const queue = bench.queue();
      await fill(queue, [['first'], ['second'], ['last', 'low']]);
      const letter = await buryNext(queue, 'no');

      bench.expect(await queue.retry(letter.id)).toBe('queued');

      bench.expect(await queue.deadLetters()).toEqual([]);
      bench.expect(await queue.length()).toBe(3);
      const { entry } = await claimOf(queue);
      bench.expect(entry).toMatchObject({ id: letter.id, item: 'first', attempts: 0 });
      bench.expect(entry.lastFailure).toMatchObject({ detail: 'no' });
      bench.expect(await drain(queue)).toEqual(['second', 'last']);
    },
  );

  law(
    'a retry takes the delay from a waiting item, and leaves a claimed one alone',
    async (bench) => {
      const queue = bench.queue();
      await fill(queue, [['waiting'], ['claimed']]);
      const first = await claimOf(queue);
      await queue.release(first, { delay: '1h' });
      const second = await claimOf(queue);

      bench.expect(await queue.retry(first.entry.id)).toBe('queued');
      bench.expect(await queue.retry(second.entry.id)).toBe('queued');

      bench.expect(await drain(queue)).toEqual(['waiting']);
      await queue.complete(second);
      bench.expect(await queue.length()).toBe(0);
    },
  );

  law('a dead letter that is discarded is gone, and nothing else', async (bench) => {
    const queue = bench.queue();
    await fill(queue, [['bad'], ['worse'], ['good']]);
    const bad = await buryNext(queue, 'no');
    await buryNext(queue, 'never');

    bench.expect(await queue.discard(bad.id)).toBe(true);

    bench.expect(await queue.discard(bad.id)).toBe(false);
    bench.expect(await queue.retry(bad.id)).toBe('not-found');
    bench.expect((await queue.deadLetters()).map(({ item }) => item)).toEqual(['worse']);
    bench.expect(await drain(queue)).toEqual(['good']);
  });

  law('only dead letters are discarded, and only of this queue', async (bench) => {
    const storage = bench.storage();
    const [mails, photos] = [
      bench.queue({ storage, name: 'mails' }),
      bench.queue({ storage, name: 'photos' }),
    ];
    await fill(mails, [['bad'], ['claimed'], ['waiting']]);
    const letter = await buryNext(mails, 'no');
    const claim = await claimOf(mails);

    for (const id of [letter.id, 'e999', 'nothing', ''])
      bench
        .expect([await photos.discard(id), await photos.retry(id)])
        .toEqual([false, 'not-found']);
    bench.expect(await mails.discard(claim.entry.id)).toBe(false);

    bench.expect((await mails.deadLetters()).map(({ item }) => item)).toEqual(['bad']);
    bench.expect(await mails.toArray()).toEqual(['claimed', 'waiting']);
    await mails.complete(claim);
  });

  law('dead letters take room until they are discarded', async (bench) => {
    const queue = bench.queue({ limits: { maxEntries: 3 } });
    await fill(queue, [['a'], ['b']]);
    const letter = await buryNext(queue, 'no');
    bench.expect(await codeOf(queue.enqueue('c'))).toBe('queue/full');

    await queue.discard(letter.id);

    await queue.enqueue('c');
    bench.expect(await drain(queue)).toEqual(['b', 'c']);
  });

  law(
    'a dead letter is retried and discarded after a restart as before it',
    async (bench) => {
      const before = bench.queue();
      await fill(before, [['a'], ['b'], ['c']]);
      for (const reason of ['one', 'two']) await buryNext(before, reason);
      await before.close();

      const after = bench.queue();
      const letters = await after.deadLetters();
      bench.expect(letters.map(({ lastFailure }) => lastFailure?.detail)).toEqual(['one', 'two']);
      const [a, b] = letters.map(({ id }) => id) as [string, string];
      bench.expect([await after.retry(a), await after.discard(b)]).toEqual(['queued', true]);
      bench.expect(await drain(after)).toEqual(['a', 'c']);
    },
    'durable',
  );
}
