import { describe, expect, test } from 'vitest';
import { memoryRemote } from './memory-remote.ts';
import { memoryRemoteHarness } from './memory-remote-harness.ts';
import { testRemote } from './remote-suite.ts';
import type { OutgoingEntry } from '../core/ports/remote.ts';

testRemote('memoryRemote', async () => memoryRemoteHarness(), { describe, test, expect });
testRemote(
  'memoryRemote without pull and hints',
  async () => memoryRemoteHarness({ pull: false, hints: false }),
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
