import { describe, expect, test } from 'vitest';
import { deferred } from './deferred.ts';
import { memoryRemote } from './memory-remote.ts';
import type { MemoryRemoteOptions, PushAnswer } from './memory-remote.ts';
import { MemoryServer } from './memory-server.ts';
import { testRemote } from './remote-suite.ts';
import type { RemoteHarness } from './remote-suite.ts';
import type { OutgoingEntry } from '../core/ports/remote.ts';

async function createHarness(options: MemoryRemoteOptions = {}): Promise<RemoteHarness> {
  const server = new MemoryServer();
  let answer: () => PushAnswer = () => 'apply';
  return {
    async connect() {
      const remote = memoryRemote({ ...options, server });
      remote.answerWith(() => answer());
      return remote;
    },
    async applied(principal) {
      return server.applied.filter((mutation) => mutation.principal === principal);
    },
    hold(what) {
      const reached = deferred();
      const released = deferred();
      answer = () => {
        reached.resolve();
        if (what === 'answer') return { answerAfter: released.promise };
        return { until: released.promise, answer: 'apply' };
      };
      const release = (): void => {
        answer = () => 'apply';
        released.resolve();
      };
      return { reached: reached.promise, release };
    },
    async expireCursors() {
      server.expireCursors();
    },
    async close() {},
  };
}

testRemote('memoryRemote', () => createHarness(), { describe, test, expect });
testRemote(
  'memoryRemote without pull and hints',
  () => createHarness({ pull: false, hints: false }),
  { describe, test, expect },
);

describe('a script of memoryRemote', () => {
  const context = {
    signal: new AbortController().signal,
    maySend: () => true,
    now: 5,
    principal: null,
  };
  const entry = (id: string): OutgoingEntry => ({
    id: `entry ${id}`,
    idempotencyKey: `key ${id}`,
    collection: 'notes',
    entityId: id,
    operation: 'create',
    command: null,
    isPatch: false,
    baseVersion: null,
    payloadJson: '{}',
    payload: {},
    schemaVersion: 1,
    group: null,
    attempts: 0,
  });

  test('answers one push each, then the remote is honest again', async () => {
    const remote = memoryRemote();
    remote.answerNext('lose-request', 'lose-answer', 'refuse-connection');
    const push = async () => (await remote.push([entry('a')], context))[0];

    const outcomes = [await push(), await push(), await push(), await push()];

    expect(outcomes).toMatchObject([
      { kind: 'retry', ambiguous: true },
      { kind: 'retry', ambiguous: true },
      { kind: 'retry', ambiguous: false },
      { kind: 'applied', version: '1' },
    ]);
    expect(remote.server.applied.map((mutation) => mutation.entityId)).toEqual(['a']);
    expect(remote.server.replayCount).toBe(1);
    expect(remote.attempts.map((attempt) => attempt.number)).toEqual([1, 2, 3, 4]);
  });

  test('can decide entry by entry, and the rest reaches the server', async () => {
    const remote = memoryRemote();
    const failure = { code: 'app/no', at: 5 };
    remote.answerNext((sent) =>
      sent.entityId === 'a' ? { kind: 'rejected', failure } : undefined,
    );

    const outcomes = await remote.push([entry('a'), entry('b')], context);

    expect(outcomes.map((outcome) => outcome.kind)).toEqual(['rejected', 'applied']);
    expect(remote.server.value('notes', 'a')).toBeUndefined();
    expect(remote.server.value('notes', 'b')).toEqual({});
  });

  test('can change rows as another client would', async () => {
    const remote = memoryRemote();
    remote.server.set('notes', 'a', { at: new Date(0) });

    const page = await remote.pull({ collection: 'notes', cursor: null, limit: 10 }, context);

    expect(page.rows).toMatchObject([{ id: 'a', value: { at: new Date(0) }, operationId: null }]);
  });
});
