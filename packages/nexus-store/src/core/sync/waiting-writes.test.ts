import { afterEach, describe, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import {
  answers,
  fixtures,
  type BackendFixture,
  type Note,
} from '../../testing/backend-fixture.ts';
import { deferred } from '../../testing/deferred.ts';
import type { PushAnswer } from '../../testing/memory-remote.ts';
import type { ConflictStrategy } from './conflict-strategy.ts';

const world = fixtures(afterEach, () => memoryStorage());

/** Known to both sides. */
const KNOWN = { id: 'a', text: 'known', count: 0 };
/** Made one after the other on this device. */
const FIRST = { id: 'a', text: 'first', count: 0 };
const SECOND = { id: 'a', text: 'second', count: 0 };
/** What somebody else has made of it meanwhile. */
const THEIRS = { id: 'a', text: 'known', count: 7 };
/** Nobody's change is lost. */
const BOTH = { id: 'a', text: 'second', count: 7 };

async function known(
  store: NonNullable<Parameters<typeof world>[0]>['store'] = {},
): Promise<BackendFixture> {
  const fixture = world({ store });
  fixture.remote.server.set('notes', 'a', KNOWN);
  await fixture.wait(fixture.backend.sync());
  return fixture;
}

const server = (fixture: BackendFixture): unknown => fixture.remote.server.value('notes', 'a');
const theyWrite = (fixture: BackendFixture, value: object = THEIRS): string =>
  fixture.remote.server.set('notes', 'a', value);
const fetch = (fixture: BackendFixture): Promise<unknown> =>
  fixture.wait(fixture.backend.fetch('notes'));
const sync = (fixture: BackendFixture): Promise<unknown> => fixture.wait(fixture.backend.sync());

/** The first write is on its way while `meanwhile` happens. */
async function inFlight(
  fixture: BackendFixture,
  answer: (until: Promise<void>) => PushAnswer,
  meanwhile: () => unknown,
): Promise<void> {
  await fixture.notes.save(FIRST);
  const gate = deferred();
  fixture.remote.answerNext(answer(gate.promise));
  const run = fixture.backend.sync();
  await fixture.settle();
  await meanwhile();
  gate.resolve();
  await fixture.wait(run);
}

describe('a write behind another one does not undo what others did', () => {
  test('where the first one meets the conflict', async () => {
    const fixture = await known();

    await inFlight(
      fixture,
      (until) => ({ until, answer: 'apply' }),
      async () => {
        await fixture.notes.save(SECOND);
        theyWrite(fixture);
      },
    );

    expect(server(fixture)).toEqual(BOTH);
    expect(await fixture.notes.get('a', { policy: 'cache-only' })).toEqual(BOTH);
  });

  test('where the row is pulled while the first one is answered', async () => {
    const fixture = await known();

    await inFlight(
      fixture,
      (until) => ({ answerAfter: until }),
      async () => {
        await fixture.notes.save(SECOND);
        theyWrite(fixture, { ...FIRST, count: 7 });
        await fetch(fixture);
      },
    );

    expect(server(fixture)).toEqual(BOTH);
  });

  test('where the answer to the first one was lost', async () => {
    const fixture = await known();
    await fixture.notes.save(FIRST);
    fixture.remote.answerNext('lose-answer');
    await sync(fixture);
    await fixture.notes.save(SECOND);
    theyWrite(fixture, { ...FIRST, count: 7 });
    await fixture.runtime.advance('10m');
    await fetch(fixture);

    await sync(fixture);

    expect(server(fixture)).toEqual(BOTH);
  });

  test('where the first one is cancelled', async () => {
    const fixture = await known({ coalesce: false });
    const first = await fixture.notes.save(FIRST);
    await fixture.notes.save(SECOND);
    theyWrite(fixture);
    await fetch(fixture);

    expect(await fixture.backend.cancel(first.entry?.id ?? '')).toBe('cancelled');
    await sync(fixture);

    expect(server(fixture)).toEqual(BOTH);
  });

  test('where the first one is refused and discarded', async () => {
    const fixture = await known();
    const first = await fixture.notes.save(FIRST);
    fixture.remote.answerNext(answers.rejected(422));
    await sync(fixture);
    await fixture.notes.save(SECOND);
    theyWrite(fixture);
    await fetch(fixture);

    await fixture.backend.discard(first.entry?.id ?? '');
    await sync(fixture);

    expect(server(fixture)).toEqual(BOTH);
  });

  test('where the first one is refused and skipped', async () => {
    const fixture = await known({ onRejected: 'skip' });

    await inFlight(
      fixture,
      (until) => ({ until, answer: answers.rejected(422) }),
      async () => {
        await fixture.notes.save(SECOND);
        theyWrite(fixture);
        await fetch(fixture);
      },
    );

    expect(server(fixture)).toEqual(BOTH);
  });

  test('where the first one is too old to be sent', async () => {
    const fixture = await known({ onRejected: 'skip', coalesce: false });
    await fixture.notes.save(FIRST, { ttl: '1m' });
    await fixture.notes.save(SECOND);
    theyWrite(fixture);
    await fetch(fixture);
    await fixture.runtime.advance('2m');

    await sync(fixture);

    expect(server(fixture)).toEqual(BOTH);
  });

  test('where the first one is part of a transaction', async () => {
    const fixture = await known();
    await fixture.backend.transaction(async (tx) => {
      await tx.store(fixture.notes).save(FIRST);
      await tx.store(fixture.notes).save({ id: 'b' });
    });
    await fixture.notes.save(SECOND);
    theyWrite(fixture);
    await fetch(fixture);

    await sync(fixture);

    expect(server(fixture)).toEqual(BOTH);
  });

  test('where the first one was to make what others have made meanwhile', async () => {
    const fixture = world({ store: { coalesce: false } });
    await fixture.notes.save(FIRST);
    await fixture.notes.save(SECOND);
    theyWrite(fixture, { id: 'a', count: 7 });

    await sync(fixture);

    expect(server(fixture)).toEqual({ id: 'a', text: 'second', count: 0 });
    expect(fixture.events.filter(({ type }) => type === 'conflict-resolved')).toHaveLength(2);
  });

  test('where several wait', async () => {
    const fixture = await known({ coalesce: false });
    for (const text of ['1', '2', '3', 'second']) await fixture.notes.save({ ...FIRST, text });
    theyWrite(fixture);

    await sync(fixture);

    expect(server(fixture)).toEqual(BOTH);
    expect(await fixture.backend.deadLetters()).toEqual([]);
  });

  test('where a command stands between', async () => {
    const fixture = await known();
    await fixture.notes.command('a', 'increment', { field: 'count', by: 1 });
    await fixture.notes.save({ ...SECOND, count: 1 });
    theyWrite(fixture, { ...KNOWN, text: 'known', at: 5 });
    await fetch(fixture);

    await sync(fixture);

    expect(server(fixture)).toEqual({ id: 'a', text: 'second', count: 1, at: 5 });
  });
});

describe('with server-wins, what comes behind a write that lost', () => {
  const lost = async (
    second: (fixture: BackendFixture) => Promise<unknown>,
  ): Promise<BackendFixture> => {
    const strategy: ConflictStrategy<Note> = 'server-wins';
    const fixture = await known({ conflict: strategy });
    await inFlight(
      fixture,
      (until) => ({ until, answer: 'apply' }),
      async () => {
        await second(fixture);
        theyWrite(fixture);
      },
    );
    return fixture;
  };

  test.each([
    ['a save', ({ notes }: BackendFixture) => notes.save(SECOND)],
    ['a patch', ({ notes }: BackendFixture) => notes.patch('a', { text: 'second' })],
    ['a delete', ({ notes }: BackendFixture) => notes.delete('a')],
  ])('loses as well: %s', async (_, second) => {
    const fixture = await lost(second);

    expect(server(fixture)).toEqual(THEIRS);
    expect(await fixture.notes.get('a', { policy: 'cache-only' })).toEqual(THEIRS);
  });
});

describe('a write that is queued while another one goes to the server directly', () => {
  async function queuedMeanwhile(
    direct: (fixture: BackendFixture) => Promise<unknown>,
    queued: (fixture: BackendFixture) => Promise<unknown>,
    conflict: ConflictStrategy<Note>,
  ): Promise<BackendFixture> {
    const fixture = await known({ conflict });
    const gate = deferred();
    fixture.remote.answerNext({ until: gate.promise, answer: 'apply' });
    const sent = direct(fixture);
    await fixture.settle();
    await queued(fixture);
    gate.resolve();
    await fixture.wait(sent);
    await sync(fixture);
    return fixture;
  }

  test.each(['server-wins', 'merge-fields', 'manual'] as const)(
    'comes after it, with %s',
    async (conflict) => {
      const fixture = await queuedMeanwhile(
        ({ notes }) => notes.save(FIRST, { policy: 'remote-first' }),
        ({ notes }) => notes.save(SECOND),
        conflict,
      );

      expect(server(fixture)).toEqual(SECOND);
      expect(fixture.backend.status.current.conflicts).toBe(0);
    },
  );

  test('makes anew what it took away', async () => {
    const fixture = await queuedMeanwhile(
      ({ notes }) => notes.delete('a', { policy: 'remote-first' }),
      ({ notes }) => notes.patch('a', { text: 'second' }),
      'manual',
    );

    expect(server(fixture)).toEqual(SECOND);
  });
});
