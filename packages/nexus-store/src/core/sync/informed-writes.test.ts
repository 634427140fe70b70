import { afterEach, describe, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import {
  answers,
  fixtures,
  type BackendFixture,
  type Note,
} from '../../testing/backend-fixture.ts';
import { deferred } from '../../testing/deferred.ts';
import type { Resolution } from './conflict-strategy.ts';

const world = fixtures(afterEach, () => memoryStorage());

/** Known to both sides. */
const KNOWN = { id: 'a', text: 'known', count: 0, done: false };
/** What somebody else has made of it. */
const THEIRS = { ...KNOWN, done: true };
/** What this device has made of it, twice: the second time it took back what others had done. */
const OURS = { ...KNOWN, text: 'ours', done: false };

async function known(
  store: NonNullable<Parameters<typeof world>[0]>['store'] = {},
): Promise<BackendFixture> {
  const fixture = world({ store });
  fixture.remote.server.set('notes', 'a', KNOWN);
  await sync(fixture);
  return fixture;
}

const server = (fixture: BackendFixture): unknown => fixture.remote.server.value('notes', 'a');
const here = ({ notes }: BackendFixture): Promise<unknown> =>
  notes.get('a', { policy: 'cache-only' });
const sync = (fixture: BackendFixture): Promise<unknown> => fixture.wait(fixture.backend.sync());

/** Others change the entity, and the app sees it. */
async function othersChange(fixture: BackendFixture, value: Note | undefined): Promise<void> {
  fixture.remote.server.set('notes', 'a', value);
  await fixture.wait(fixture.backend.fetch('notes'));
}

/** Its commands count one up. */
const counting = (): Promise<BackendFixture> =>
  known({ applyCommand: (note) => ({ ...note, count: (note.count ?? 0) + 1 }) });
const increment = ({ notes }: BackendFixture): Promise<unknown> =>
  notes.command('a', 'increment', { field: 'count', by: 1 });

const untick = ({ notes }: BackendFixture): Promise<unknown> => notes.patch('a', { done: false });

describe("what takes back others' change, which the app had shown, stands", () => {
  test('while an earlier write waits', async () => {
    const fixture = await known();
    await fixture.notes.patch('a', { text: 'ours' });
    await othersChange(fixture, THEIRS);
    expect(await here(fixture)).toEqual({ ...OURS, done: true });
    await untick(fixture);

    await sync(fixture);

    expect(server(fixture)).toEqual(OURS);
    expect(await here(fixture)).toEqual(OURS);
  });

  test('while an earlier write is on its way', async () => {
    const fixture = await known();
    await fixture.notes.patch('a', { text: 'ours' });
    const gate = deferred();
    fixture.remote.answerNext({ until: gate.promise, answer: 'apply' });
    const run = fixture.backend.sync();
    await fixture.settle();
    await othersChange(fixture, THEIRS);
    await untick(fixture);
    gate.resolve();
    await fixture.wait(run);

    await sync(fixture);

    expect(server(fixture)).toEqual(OURS);
  });

  test('behind several earlier writes, changed twice by others', async () => {
    const fixture = await known({ coalesce: false });
    await fixture.notes.patch('a', { text: 'first' });
    await fixture.notes.patch('a', { text: 'ours' });
    await othersChange(fixture, THEIRS);
    await untick(fixture);
    await othersChange(fixture, { ...THEIRS, count: 7 });

    await sync(fixture);

    expect(server(fixture)).toEqual({ ...OURS, count: 7 });
  });

  test('once the last of several earlier writes was cancelled', async () => {
    const fixture = await known({ coalesce: false });
    for (const text of ['ours', 'second']) await fixture.notes.patch('a', { text });
    const last = await fixture.notes.patch('a', { text: 'last' });
    await othersChange(fixture, THEIRS);
    await fixture.backend.cancel(last.entry?.id ?? '');
    await untick(fixture);

    await sync(fixture);

    expect(server(fixture)).toEqual({ ...OURS, text: 'second' });
  });

  test.each(['retry', 'discard'] as const)(
    'behind a dead letter that somebody gives up or sends again: %s',
    async (what) => {
      const fixture = await known();
      await fixture.notes.patch('a', { text: 'too long' });
      fixture.remote.answerNext(answers.rejected(422));
      await sync(fixture);
      await othersChange(fixture, THEIRS);
      await fixture.notes.patch('a', { text: 'ours', done: false });
      const [dead] = await fixture.backend.deadLetters();

      await fixture.backend[what](dead?.id ?? '');
      await sync(fixture);

      expect(server(fixture)).toEqual(OURS);
    },
  );

  test.each(['merge-fields', 'server-wins'] as const)('as a delete, with %s', async (conflict) => {
    const fixture = await known({ conflict });
    await fixture.notes.patch('a', { text: 'ours' });
    await othersChange(fixture, THEIRS);
    await fixture.notes.delete('a');

    await sync(fixture);

    expect(server(fixture)).toBeUndefined();
  });

  test('where the server told of the change as it refused an earlier write', async () => {
    const fixture = await known({ coalesce: false });
    for (const text of ['first', 'second', 'ours']) await fixture.notes.patch('a', { text });
    fixture.remote.server.set('notes', 'a', THEIRS);
    let requests = 0;
    fixture.remote.answerWith(() => ((requests += 1) === 1 ? 'apply' : answers.offline));
    await sync(fixture);
    expect(await here(fixture)).toEqual({ ...OURS, done: true });
    await untick(fixture);
    fixture.remote.answerWith(undefined);

    await fixture.runtime.advance('1h');
    await sync(fixture);

    expect(server(fixture)).toEqual(OURS);
  });

  test('without asking people again who decided for the write before it', async () => {
    const fixture = await known({ conflict: 'manual' });
    await fixture.notes.patch('a', { text: 'ours' });
    await othersChange(fixture, THEIRS);
    await untick(fixture);
    await sync(fixture);
    const [parked] = await fixture.notes.pendingChanges();
    await fixture.backend.resolveConflict(parked?.id ?? '', { use: 'local' });

    await sync(fixture);

    expect(server(fixture)).toEqual(OURS);
    expect(fixture.backend.status.current.conflicts).toBe(0);
  });

  test('with server-wins, though the write before it loses', async () => {
    const fixture = await known({ conflict: 'server-wins' });
    await fixture.notes.patch('a', { text: 'ours' });
    await othersChange(fixture, THEIRS);
    await untick(fixture);

    await sync(fixture);

    expect(server(fixture)).toEqual(KNOWN);
  });

  test('unless a whole value hid it from the app', async () => {
    const fixture = await known();
    await fixture.notes.save({ ...KNOWN, text: 'first' });
    await othersChange(fixture, THEIRS);
    expect(await here(fixture)).toEqual({ ...KNOWN, text: 'first' });
    await fixture.notes.save({ ...KNOWN, text: 'ours' });

    await sync(fixture);

    expect(server(fixture)).toEqual({ ...OURS, done: true });
  });

  test('nor is it taken for seen once the whole value that hid it is given up', async () => {
    const fixture = await known();
    const first = await fixture.notes.save({ ...KNOWN, text: 'first' });
    await othersChange(fixture, THEIRS);
    await fixture.notes.save({ ...KNOWN, text: 'ours' });
    await fixture.backend.cancel(first.entry?.id ?? '');

    await sync(fixture);

    expect(server(fixture)).toEqual({ ...OURS, done: true });
  });
});

test('a patch of what others have deleted is shown with the rest of it until that is decided', async () => {
  const fixture = await known({ conflict: 'manual' });
  await fixture.notes.patch('a', { text: 'ours' });
  await othersChange(fixture, undefined);
  const shown = await here(fixture);

  await sync(fixture);
  const [parked] = await fixture.notes.pendingChanges();
  const sides = await fixture.backend.conflictOf(parked?.id ?? '');
  await fixture.backend.resolveConflict(parked?.id ?? '', { use: 'remote' });

  expect(shown).toEqual(OURS);
  expect(sides).toMatchObject({ base: KNOWN, local: OURS, remote: null });
  expect(await here(fixture)).toBeUndefined();
});

test('what a whole value on its way hides from the app is not taken for seen', async () => {
  const fixture = await known();
  await fixture.notes.save({ ...KNOWN, count: 2 });
  const gate = deferred();
  fixture.remote.answerNext({ answerAfter: gate.promise });
  const run = fixture.backend.sync();
  await fixture.settle();
  await othersChange(fixture, { ...KNOWN, text: 'theirs', count: 2 });
  expect(await here(fixture)).toEqual({ ...KNOWN, count: 2 });
  await fixture.notes.save({ ...KNOWN, count: 2, at: 9 });
  gate.resolve();
  await fixture.wait(run);

  await sync(fixture);

  expect(server(fixture)).toEqual({ ...KNOWN, text: 'theirs', count: 2, at: 9 });
});

describe('a dead letter that is sent again does not undo what others did', () => {
  test('where its lane went on without it', async () => {
    const fixture = await known({ onRejected: 'skip' });
    await fixture.notes.save(OURS);
    fixture.remote.answerNext(answers.rejected(422));
    await sync(fixture);
    await othersChange(fixture, THEIRS);
    const [dead] = await fixture.backend.deadLetters();

    await fixture.backend.retry(dead?.id ?? '');
    await sync(fixture);

    expect(server(fixture)).toEqual({ ...OURS, done: true });
  });

  test('where its entity was made by others meanwhile', async () => {
    const fixture = world({ store: { onRejected: 'revert' } });
    await fixture.notes.save(OURS);
    fixture.remote.answerNext(answers.rejected(422));
    await sync(fixture);
    await othersChange(fixture, { id: 'a', count: 7 });
    const [dead] = await fixture.backend.deadLetters();

    await fixture.backend.retry(dead?.id ?? '');
    await sync(fixture);

    expect(server(fixture)).toMatchObject({ id: 'a', text: 'ours' });
    expect(fixture.events.map(({ type }) => type)).toContain('conflict-resolved');
  });

  test('where a conflict of it was decided before it was refused', async () => {
    const fixture = await known();
    await fixture.notes.save({ ...KNOWN, text: 'first' });
    const gate = deferred();
    fixture.remote.answerNext({ until: gate.promise, answer: 'apply' });
    const run = fixture.backend.sync();
    await fixture.settle();
    await fixture.notes.save({ ...KNOWN, text: 'ours' });
    fixture.remote.server.set('notes', 'a', THEIRS);
    fixture.remote.answerWith(() => answers.rejected(422));
    gate.resolve();
    await fixture.wait(run);
    fixture.remote.answerWith(undefined);
    const [dead] = await fixture.backend.deadLetters();

    await fixture.backend.retry(dead?.id ?? '');
    await sync(fixture);

    expect(server(fixture)).toEqual({ ...OURS, done: true });
  });
});

describe('a command', () => {
  test('whose effect a pull had brought is not counted twice under what was written behind it', async () => {
    const fixture = await counting();
    await increment(fixture);
    fixture.remote.answerNext('lose-answer');
    await sync(fixture);
    await fixture.wait(fixture.backend.fetch('notes'));
    await fixture.notes.save({ ...KNOWN, count: 1, text: 'ours' });
    await othersChange(fixture, { ...KNOWN, count: 50 });

    await fixture.runtime.advance('1h');
    await sync(fixture);

    expect(server(fixture)).toEqual({ ...KNOWN, count: 50, text: 'ours' });
  });
});

describe('what is written behind a command', () => {
  test("does not undo what the command's answer shows of others", async () => {
    const fixture = await counting();
    await increment(fixture);
    await fixture.notes.save({ ...KNOWN, count: 1, text: 'ours' });
    fixture.remote.server.set('notes', 'a', THEIRS);

    await sync(fixture);

    expect(server(fixture)).toEqual({ ...THEIRS, count: 1, text: 'ours' });
  });

  test('is sent at once where the answer shows nothing new', async () => {
    const fixture = await counting();
    await increment(fixture);
    await fixture.notes.save({ ...KNOWN, count: 1, text: 'ours' });

    await sync(fixture);

    expect(fixture.remote.attempts).toHaveLength(2);
    expect(server(fixture)).toEqual({ ...OURS, count: 1 });
  });
});

describe('a command that the app cannot apply to what others have made of its row', () => {
  const tagging = (): Promise<BackendFixture> =>
    known({
      applyCommand: (note) => {
        if (note.done === true) throw new TypeError('this app counts on open notes');
        return { ...note, count: (note.count ?? 0) + 1 };
      },
    });

  test('is sent, and holds up nothing', async () => {
    const fixture = await tagging();
    for (let i = 0; i < 2; i += 1) await increment(fixture);
    await fixture.notes.save({ id: 'b', text: 'beside it' });
    fixture.remote.server.set('notes', 'a', THEIRS);

    await sync(fixture);

    expect(server(fixture)).toEqual({ ...THEIRS, count: 2 });
    expect(fixture.remote.server.value('notes', 'b')).toEqual({ id: 'b', text: 'beside it' });
    expect(await fixture.notes.pendingChanges()).toEqual([]);
  });

  test('does not keep a pull from its news', async () => {
    const fixture = await tagging();
    await increment(fixture);
    fixture.remote.server.set('notes', 'news', { id: 'news' });

    await othersChange(fixture, THEIRS);

    expect(await fixture.notes.get('news', { policy: 'cache-only' })).toEqual({ id: 'news' });
  });
});

test('who decides later decides about what a pull has brought in the meantime', async () => {
  const gate = deferred();
  const later = async (): Promise<Resolution<Note>> => {
    await gate.promise;
    return { use: 'later' };
  };
  const fixture = await known({ conflict: later });
  await fixture.notes.save(OURS);
  fixture.remote.server.set('notes', 'a', THEIRS);
  const run = fixture.backend.sync();
  await fixture.settle();
  await othersChange(fixture, { ...THEIRS, count: 3 });
  gate.resolve();
  await fixture.wait(run);
  const [parked] = await fixture.notes.pendingChanges();

  const sides = await fixture.backend.conflictOf(parked?.id ?? '');
  await fixture.backend.resolveConflict(parked?.id ?? '', { use: 'remote' });
  await sync(fixture);

  expect(sides?.remote).toEqual({ ...THEIRS, count: 3 });
  expect(await here(fixture)).toEqual({ ...THEIRS, count: 3 });
});
