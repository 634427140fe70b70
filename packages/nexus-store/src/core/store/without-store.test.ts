import { afterEach, describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import {
  answers,
  fixtures,
  type BackendFixture,
  type BackendFixtureOptions,
  type Note,
} from '../../testing/backend-fixture.ts';
import { memoryRemote } from '../../testing/memory-remote.ts';
import { MemoryServer } from '../../testing/memory-server.ts';
import { UNDECIDED } from '../queue/undecided.ts';
import { NexusStore } from './nexus-store.ts';

const world = fixtures(afterEach, () => memoryStorage());
const here = { policy: 'cache-only' } as const;

interface Pair {
  readonly app: BackendFixture;
  /** A command line, say: it has no store for notes. */
  readonly tool: BackendFixture;
  readonly server: MemoryServer;
}

function appAndTool(
  store: BackendFixtureOptions['store'] = {},
  options: Partial<BackendFixtureOptions> = {},
  appOptions: Partial<BackendFixtureOptions> = {},
): Pair {
  const database = memoryDatabase();
  const server = new MemoryServer();
  const app = world({
    ...appOptions,
    storage: memoryStorage({ database }),
    remote: memoryRemote({ hints: false, server }),
    store,
  });
  const tool = world({
    ...options,
    storage: memoryStorage({ database }),
    remote: memoryRemote({ hints: false, server, pull: options.withoutStore?.pull !== undefined }),
    runtime: app.runtime,
    store: { collection: 'elsewhere' },
  });
  return { app, tool, server };
}

const BEFORE = { id: 'a', text: 'before', count: 1 };
const THEIRS = { id: 'a', text: 'theirs', count: 2 };
const OURS = { id: 'a', text: 'before', count: 5 };

/** Ours waits in the app; others have changed the row meanwhile. */
async function clash({ app, server }: Pair, theirs: Note | undefined = THEIRS): Promise<void> {
  server.set('notes', 'a', BEFORE);
  await app.wait(app.backend.sync());
  await app.notes.save(OURS);
  server.set('notes', 'a', theirs);
}

async function states({ app }: Pair): Promise<readonly (string | undefined)[]> {
  const changes = await app.backend.pendingChanges();
  return changes.map(({ state, lastFailure }) => `${state} ${lastFailure?.code}`);
}

describe('a conflict that a context without the store meets', () => {
  test.each(['manual', 'server-wins', 'client-wins', 'merge-fields'] as const)(
    'is left to the app, which decides it by %s',
    async (conflict) => {
      const pair = appAndTool({ conflict });
      await clash(pair);

      const report = await pair.tool.wait(pair.tool.backend.sync());

      expect(report).toMatchObject({ conflicts: 1, remaining: 0, stoppedBy: 'drained' });
      expect(pair.server.value('notes', 'a')).toEqual(THEIRS);
      expect(await states(pair)).toEqual([`conflict ${UNDECIDED}`]);

      await pair.app.wait(pair.app.backend.sync());

      const decided = {
        manual: THEIRS,
        'server-wins': THEIRS,
        'client-wins': OURS,
        'merge-fields': { id: 'a', text: 'theirs', count: 5 },
      };
      expect(pair.server.value('notes', 'a')).toEqual(decided[conflict]);
      expect(await states(pair)).toEqual(conflict === 'manual' ? ['conflict store/conflict'] : []);
    },
  );

  test('does not bring back what others deleted', async () => {
    const pair = appAndTool({ conflict: 'server-wins' });
    await clash(pair);
    pair.server.set('notes', 'a', undefined);

    await pair.tool.wait(pair.tool.backend.sync());

    expect(pair.server.value('notes', 'a')).toBeUndefined();
    await pair.app.wait(pair.app.backend.sync());
    expect(pair.server.value('notes', 'a')).toBeUndefined();
    expect(await pair.app.notes.get('a', here)).toBeUndefined();
  });

  test('is not sent again by one that does not know either', async () => {
    const pair = appAndTool({ conflict: 'client-wins' });
    await clash(pair);
    await pair.tool.wait(pair.tool.backend.sync());
    const requests = pair.tool.requests.length;

    await pair.tool.wait(pair.tool.backend.sync());

    expect(pair.tool.requests).toHaveLength(requests);
  });

  test('wakes the app that is open beside it', async () => {
    const pair = appAndTool({ conflict: 'client-wins' }, {}, { autoSync: true });
    await clash(pair);
    await pair.tool.wait(pair.tool.backend.sync());
    expect(pair.server.value('notes', 'a')).toEqual(THEIRS);

    await pair.app.backend.refresh();
    await pair.app.runtime.advance('5s');

    expect(pair.server.value('notes', 'a')).toEqual(OURS);
  });

  test('waits for the store, also in an app that opens its database before it makes it', async () => {
    const { app, tool, server } = appAndTool({ collection: 'other' }, {}, { autoSync: true });
    await app.backend.open();
    server.set('notes', 'a', BEFORE);
    const first = new NexusStore<Note>({ backend: tool.backend, collection: 'notes' });
    await tool.wait(tool.backend.sync());
    await first.save(OURS);
    server.set('notes', 'a', THEIRS);
    await app.backend.refresh();
    await app.runtime.advance('1m');
    expect(await states({ app, tool, server })).toEqual([`conflict ${UNDECIDED}`]);

    void new NexusStore<Note>({
      backend: app.backend,
      collection: 'notes',
      conflict: 'client-wins',
    });
    await app.runtime.advance('5s');

    expect(server.value('notes', 'a')).toEqual(OURS);
  });

  test('is decided to the last of many, and those that wait for people go on waiting', async () => {
    const pair = appAndTool({
      conflict: ({ id }) => ({ use: String(id).startsWith('p') ? 'later' : 'local' }),
    });
    const { app, tool, server } = pair;
    const ids = Array.from({ length: 600 }, (_, i) => `${i % 2 === 0 ? 'p' : 'n'}${i}`);
    for (const id of ids) server.set('notes', id, { id, text: 'before' });
    await app.wait(app.backend.sync());
    for (const id of ids) await app.notes.save({ id, text: 'ours' });
    for (const id of ids) server.set('notes', id, { id, text: 'theirs' });
    await tool.wait(tool.backend.sync());
    expect(await states(pair)).toEqual(ids.map(() => `conflict ${UNDECIDED}`));

    await app.wait(app.backend.sync());

    const left = ids.filter((id) => (server.value('notes', id) as Note).text === 'theirs');
    expect(left).toEqual(ids.filter((id) => id.startsWith('p')));
    expect(await states(pair)).toEqual(left.map(() => 'conflict store/conflict'));
  });

  test('does not send again what waits for people', async () => {
    const { app, tool, server } = appAndTool({
      conflict: ({ id }) => ({ use: id === 'p' ? 'later' : 'local' }),
    });
    for (const id of ['n', 'p']) server.set('notes', id, { id, text: 'before' });
    await app.wait(app.backend.sync());
    for (const id of ['n', 'p']) await app.notes.save({ id, text: 'ours' });
    for (const id of ['n', 'p']) server.set('notes', id, { id, text: 'theirs' });
    app.remote.answerNext(({ entityId }) => (entityId === 'n' ? answers.entry(423) : undefined));
    await app.wait(app.backend.sync());
    await app.runtime.advance('10m');
    await tool.wait(tool.backend.sync());
    const sent = app.requests.length;

    await app.wait(app.backend.sync());

    expect(new Set(app.requests.slice(sent).flat())).toEqual(new Set(['n']));
    expect(server.value('notes', 'n')).toEqual({ id: 'n', text: 'ours' });
  });

  test('leaves nothing behind when its user discards everything', async () => {
    const pair = appAndTool();
    await pair.app.backend.signIn('ann');
    await pair.tool.backend.signIn('ann');
    await pair.app.notes.save(OURS);
    pair.server.set('notes', 'a', THEIRS, 'ann');
    await pair.tool.wait(pair.tool.backend.sync());
    expect(await states(pair)).toEqual([`conflict ${UNDECIDED}`]);

    await pair.app.wait(pair.app.backend.signOut({ pending: 'discard' }));
    await pair.app.settle();

    const facts = await pair.app.backend.writer.read((uow) => uow.scan('meta', { limit: 100 }));
    expect(facts.filter(({ name }) => String(name).startsWith('undecided'))).toEqual([]);
  });

  test('in a transaction holds the whole of it until the app has decided', async () => {
    const pair = appAndTool({ conflict: 'client-wins' });
    const { app, tool, server } = pair;
    server.set('notes', 'a', BEFORE);
    await app.wait(app.backend.sync());
    await app.backend.transaction(async (tx) => {
      await tx.store(app.notes).save(OURS);
      await tx.store(app.notes).save({ id: 'b', text: 'with it' });
    });
    server.set('notes', 'a', THEIRS);
    await tool.wait(tool.backend.sync());
    expect(server.value('notes', 'b')).toBeUndefined();

    await app.wait(app.backend.sync());

    expect(server.value('notes', 'a')).toEqual(OURS);
    expect(server.value('notes', 'b')).toEqual({ id: 'b', text: 'with it' });
    expect(await states(pair)).toEqual([]);
  });

  test('is decided at once where the context was told how', async () => {
    const pair = appAndTool({ conflict: 'manual' }, { withoutStore: { conflict: 'client-wins' } });
    await clash(pair);

    await pair.tool.wait(pair.tool.backend.sync());

    expect(pair.server.value('notes', 'a')).toEqual(OURS);
    expect(await states(pair)).toEqual([]);
  });
});

test('a collection is fetched once, with a store and without', async () => {
  const fixture = world({ withoutStore: { pull: ['notes', 'elsewhere'] } });
  fixture.remote.server.set('notes', 'a', BEFORE);
  const asked: string[] = [];
  const pull = fixture.remote.pull.bind(fixture.remote);
  fixture.remote.pull = (request, context) => {
    asked.push(request.collection);
    return pull(request, context);
  };

  await fixture.wait(fixture.backend.sync());

  expect(asked).toEqual(['notes', 'elsewhere']);
  expect(await fixture.notes.get('a', here)).toEqual(BEFORE);
});

test.each([
  [{ pull: 'notes' }, 'pull'],
  [{ pull: [''] }, 'pull'],
  [{ conflict: 'manual' }, 'conflict'],
  [{ rules: {} }, 'rules'],
])('%o is refused, by the name of the option', (withoutStore, name) => {
  expect(() => world({ withoutStore: withoutStore as object })).toThrow(name);
});

describe('commands whose effect only the app knows', () => {
  const counting = {
    applyCommand: (value: Note, _: string, args: unknown) => {
      const { by } = args as { by: number };
      return { ...value, count: (value.count ?? 0) + by };
    },
  };
  const increment = (pair: Pair): Promise<unknown> =>
    pair.app.notes.command('a', 'increment', { field: 'count', by: 1 });

  /** A server that says that a command was applied, and not what came of it. */
  function withoutValues({ remote }: BackendFixture): void {
    const push = remote.push.bind(remote);
    remote.push = async (batch, context) =>
      (await push(batch, context)).map((outcome) => {
        if (outcome.kind !== 'applied') return outcome;
        const { value: _, ...rest } = outcome;
        return rest;
      });
  }

  async function counted(pair: Pair, times: number): Promise<void> {
    pair.server.set('notes', 'a', { id: 'a', count: 1 });
    await pair.app.wait(pair.app.backend.sync());
    for (let i = 0; i < times; i += 1) await increment(pair);
  }

  test('stay visible while they wait, when another one was acknowledged', async () => {
    const pair = appAndTool(counting);
    await counted(pair, 2);
    let requests = 0;
    pair.tool.remote.answerWith(() => (++requests === 1 ? 'apply' : answers.endpoint(503)));

    await pair.tool.wait(pair.tool.backend.sync());

    expect(await pair.app.backend.pendingChanges()).toHaveLength(1);
    expect(await pair.app.notes.get('a', here)).toEqual({ id: 'a', count: 3 });
  });

  test('stay visible when a context without the store fetches the row', async () => {
    const pair = appAndTool(counting, { withoutStore: { pull: ['notes'] } });
    await counted(pair, 1);
    pair.server.set('notes', 'a', { id: 'a', count: 10 });
    pair.tool.remote.answerWith(() => answers.entry(423));

    await pair.tool.wait(pair.tool.backend.sync());

    expect(await pair.app.notes.get('a', here)).toEqual({ id: 'a', count: 2 });
    await pair.app.runtime.advance('10m');
    await pair.app.wait(pair.app.backend.sync());
    expect(await pair.app.notes.get('a', here)).toEqual({ id: 'a', count: 11 });
  });

  test.each([1, 3])(
    'are not lost where the server does not say what they did: %i',
    async (times) => {
      const pair = appAndTool({ ...counting, pull: false });
      await pair.app.notes.save({ id: 'a', count: 1 });
      await pair.app.wait(pair.app.backend.sync());
      for (let i = 0; i < times; i += 1) await increment(pair);
      withoutValues(pair.tool);

      await pair.tool.wait(pair.tool.backend.sync());

      expect(await pair.app.backend.pendingChanges()).toEqual([]);
      expect(await pair.app.notes.get('a', here)).toEqual({ id: 'a', count: 1 + times });
      expect(pair.server.value('notes', 'a')).toEqual({ id: 'a', count: 1 + times });
    },
  );

  test('do not keep in view what was discarded in front of them', async () => {
    const pair = appAndTool(counting);
    const { app, tool } = pair;
    await counted(pair, 0);
    await app.notes.patch('a', { text: 'refused' });
    await increment(pair);
    tool.remote.answerNext(answers.rejected(422));
    await tool.wait(tool.backend.sync());
    const [dead] = await tool.backend.deadLetters();

    await tool.backend.discard(dead?.id ?? '');

    expect((await app.notes.get('a', here))?.text).toBeUndefined();
    await app.wait(app.backend.sync());
    expect(await app.notes.get('a', here)).toEqual({ id: 'a', count: 2 });
  });

  test('go when the server has no such row any more', async () => {
    const pair = appAndTool(
      { ...counting, coalesce: false },
      { withoutStore: { pull: ['notes'] } },
    );
    await counted(pair, 1);
    pair.tool.remote.answerWith(() => answers.entry(423));
    pair.server.set('notes', 'a', undefined);

    await pair.tool.wait(pair.tool.backend.sync());

    expect(await pair.app.notes.get('a', here)).toBeUndefined();
  });
});
