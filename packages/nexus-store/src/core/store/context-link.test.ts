import { afterEach, describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/memory-storage.ts';
import { fixtures } from '../../testing/backend-fixture.ts';
import { deferred } from '../../testing/deferred.ts';
import { memoryRemote } from '../../testing/memory-remote.ts';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';
import type { ContextLink } from '../ports/context-link.ts';

const open = fixtures(afterEach, () => memoryStorage());

/** Gives turns when the test says so, and remembers what it was told. */
class ManualLink implements ContextLink {
  readonly owners: string[] = [];
  readonly gone = new Set<string>();
  commits = 0;
  turn: Promise<void> = Promise.resolve();

  async drain<R>(
    owner: string,
    signal: AbortSignal,
    body: () => Promise<R>,
  ): Promise<R | undefined> {
    this.owners.push(owner);
    const gaveUp = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race([this.turn, gaveUp]);
    return signal.aborted ? undefined : body();
  }

  isGone(owner: string): boolean {
    return this.gone.has(owner);
  }

  committed(): void {
    this.commits += 1;
  }
}

describe('contexts that share a database', () => {
  test('a run sends when its turn comes, and not before', async () => {
    const { backend, notes, runtime, remote } = open();
    const link = new ManualLink();
    const turn = deferred();
    link.turn = turn.promise;
    backend.linkWith(link);
    await notes.save({ id: 'a' });

    const syncing = backend.sync();
    await runtime.advance('10s');
    const early = [remote.attempts.length, backend.status.current.phase];
    turn.resolve();
    const report = await syncing;

    expect(early).toEqual([0, 'idle']);
    expect(report).toMatchObject({ pushed: 1, stoppedBy: 'drained' });
  });

  test('a run whose window ends while it waits has sent nothing and says why', async () => {
    const { backend, notes, runtime, remote } = open();
    const link = new ManualLink();
    link.turn = new Promise(() => {});
    backend.linkWith(link);
    await notes.save({ id: 'a' });
    const controller = new AbortController();

    const late = backend.sync({ budget: '5s' });
    await runtime.advance('6s');
    const aborted = backend.sync({ signal: controller.signal });
    await runtime.settle();
    controller.abort();
    const reports = [await late, await aborted];

    expect(reports.map(({ stoppedBy }) => stoppedBy)).toEqual(['deadline', 'aborted']);
    expect(reports.map(({ remaining }) => remaining)).toEqual([1, 1]);
    expect(remote.attempts).toEqual([]);
  });

  test('what a context had claimed that is gone is sent without waiting for its lease', async () => {
    const runtime = createVirtualRuntime(1);
    const database = memoryDatabase();
    const process = runtime.createProcess();
    const storage = memoryStorage({ database });
    const dead = open({ runtime, process, storage });
    const deadLink = new ManualLink();
    dead.backend.linkWith(deadLink);
    dead.remote.answerWith(() => 'hang');
    await dead.notes.save({ id: 'a' });
    dead.backend.sync().catch(() => {});
    await runtime.advance(100);
    process.kill();
    const remote = memoryRemote({ hints: false, server: dead.remote.server });
    const next = open({ runtime, storage: memoryStorage({ database }), remote });
    const link = new ManualLink();
    next.backend.linkWith(link);

    const unknown = await next.backend.sync();
    for (const owner of deadLink.owners) link.gone.add(owner);
    const known = await next.backend.sync();

    expect([unknown.pushed, known.pushed]).toEqual([0, 1]);
    expect(next.arrivals).toEqual(['create a']);
  });

  test('of a context that takes no turns nobody can know that it is gone', async () => {
    const runtime = createVirtualRuntime(1);
    const database = memoryDatabase();
    const alone = open({ runtime, storage: memoryStorage({ database }) });
    alone.remote.answerWith(() => 'hang');
    await alone.notes.save({ id: 'a' });
    const controller = new AbortController();
    const sending = alone.backend.sync({ signal: controller.signal });
    await runtime.advance(100);
    const linked = open({ runtime, storage: memoryStorage({ database }) });
    const link = new ManualLink();
    link.isGone = () => true;
    linked.backend.linkWith(link);

    const report = await linked.backend.sync();
    controller.abort();
    await sending;

    expect(report).toMatchObject({ pushed: 0, remaining: 1 });
    expect(linked.remote.attempts).toEqual([]);
  });

  test('the others are told of every commit that changes something, and of nothing else', async () => {
    const { backend, notes } = open();
    const link = new ManualLink();
    await backend.sync();
    backend.linkWith(link);

    await notes.get('a');
    await backend.pendingChanges();
    const looked = link.commits;
    await notes.save({ id: 'a' });
    const saved = link.commits;
    await backend.pause();

    expect([looked, saved, link.commits]).toEqual([0, 1, 2]);
    await backend.resume();
  });

  test('a run that was called for entries is left out when another context has sent them', async () => {
    const runtime = createVirtualRuntime(1);
    const database = memoryDatabase();
    const a = open({ runtime, storage: memoryStorage({ database }), autoSync: true });
    const b = open({
      runtime,
      storage: memoryStorage({ database }),
      remote: memoryRemote({ hints: false, server: a.remote.server }),
    });
    a.backend.linkWith(new ManualLink());
    await a.notes.save({ id: 'x' });
    await b.backend.sync();
    await a.backend.refresh();

    await runtime.advance('30s');

    expect(a.typesOf('sync-started')).toEqual([]);
    expect(b.arrivals).toEqual(['create x']);
  });

  test.each(['before', 'after'])(
    'a run that was called for entries, and %s that for the app that came to the front, takes place',
    async (when) => {
      const runtime = createVirtualRuntime(1);
      const database = memoryDatabase();
      const a = open({ runtime, storage: memoryStorage({ database }), autoSync: true });
      const b = open({
        runtime,
        storage: memoryStorage({ database }),
        remote: memoryRemote({ hints: false, server: a.remote.server }),
      });
      await a.backend.open();
      a.backend.linkWith(new ManualLink());
      if (when === 'before') a.backend.wake();
      await a.notes.save({ id: 'x' }, { priority: 'critical' });
      if (when === 'after') a.backend.wake();
      await b.backend.sync();
      await a.backend.refresh();

      await runtime.advance('1s');

      expect(a.typesOf('sync-started')).toEqual(['sync-started']);
    },
  );

  test('a context without a screen sends only when asked, and its conflict handlers are told', async () => {
    const headless: boolean[] = [];
    const { backend, notes, runtime, remote } = open({
      autoSync: true,
      store: {
        conflict: ({ headless: isHeadless }) => {
          headless.push(isHeadless);
          return { use: 'remote' };
        },
      },
    });
    backend.beHeadless();
    await notes.save({ id: 'a', text: 'here' }, { priority: 'critical' });
    await runtime.advance('10m');
    const early = remote.attempts.length;

    remote.answerNext({
      kind: 'conflict',
      remote: { id: 'a', text: 'there' },
      version: '7',
      failure: { code: 'remote/rejected', status: 409, at: 0 },
    });
    await backend.sync();

    expect(early).toBe(0);
    expect(headless).toEqual([true]);
  });

  test('a tab that nobody sees does not listen to the server, and does again when it is seen', async () => {
    const { backend, remote, runtime } = open({
      autoSync: true,
      remote: memoryRemote({ hints: true }),
    });
    let listening = 0;
    const listen = remote.listen.bind(remote);
    remote.listen = async (onHint, context) => {
      listening += 1;
      await listen(onHint, context);
      listening -= 1;
    };
    await backend.open();
    await runtime.settle();
    const seen = listening;

    backend.mayListen(false);
    await runtime.settle();
    const hidden = listening;
    await backend.pause();
    await backend.resume();
    await runtime.settle();
    const resumed = listening;
    backend.mayListen(true);
    await runtime.settle();

    expect([seen, hidden, resumed, listening]).toEqual([1, 0, 0, 1]);
  });
});
