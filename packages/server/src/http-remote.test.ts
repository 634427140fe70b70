import { DatabaseSync } from 'node:sqlite';
import { httpRemote } from 'nexus-store/http';
import type { Fetch } from 'nexus-store/http';
import { REMOTE_SUITE_PRINCIPALS, testRemote } from 'nexus-store/testing';
import type { RemoteHarness } from 'nexus-store/testing';
import { describe, expect, test } from 'vitest';
import { createReceiver, serve } from './index.ts';
import type { Receiver, ReceiverOptions } from './index.ts';

const DAY_MS = 86_400_000;
const tokenOf = (principal: string | null): string => `token-of-${principal}`;

interface Server {
  readonly url: string;
  readonly receiver: Receiver;
  readonly fetch: Fetch;
  close(): Promise<void>;
}

type Start = (options: Omit<ReceiverOptions, 'database'>) => Promise<Server>;

/** A server whose clock can be moved, behind a fetch that can be held. */
async function createHarness(start: Start): Promise<RemoteHarness> {
  let now = Date.now();
  const tokens = REMOTE_SUITE_PRINCIPALS.map((who): [string, string] => [tokenOf(who), who]);
  const server = await start({ authenticate: new Map(tokens), now: () => now });
  let fetch: Fetch = server.fetch;
  const connect: RemoteHarness['connect'] = async () =>
    httpRemote({
      url: server.url,
      headers: ({ principal }) => ({ authorization: `Bearer ${tokenOf(principal)}` }),
      fetch: (url, init) => fetch(url, init),
    });
  return {
    connect,
    applied: (principal) => server.receiver.arrivals(principal),
    hold(what) {
      const reached = deferred();
      const released = deferred();
      fetch = async (url, init) => {
        const early = what === 'answer' ? await server.fetch(url, { ...init, signal: null }) : null;
        reached.resolve();
        await released.promise;
        return early ?? server.fetch(url, init);
      };
      const release = (): void => {
        fetch = server.fetch;
        released.resolve();
      };
      return { reached: reached.promise, release };
    },
    async expireCursors(principal) {
      await leaveTombstone(await connect(), principal);
      now += 91 * DAY_MS;
      await server.receiver.sweep();
    },
    close: () => server.close(),
  };
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** A deletion that is forgotten later is what makes a cursor expire. */
async function leaveTombstone(
  remote: ReturnType<typeof httpRemote>,
  principal: string,
): Promise<void> {
  const context = { signal: new AbortController().signal, maySend: () => true, now: 0, principal };
  for (const operation of ['create', 'delete'] as const) {
    const entry = {
      id: operation,
      idempotencyKey: `tombstone ${operation}`,
      collection: 'elsewhere',
      entityId: 'x',
      operation,
      command: null,
      isPatch: false,
      baseVersion: null,
      payloadJson: '1',
      payload: 1,
      schemaVersion: 1,
      group: null,
      attempts: 0,
    };
    const [outcome] = await remote.push([entry], context);
    expect(outcome?.kind).toBe('applied');
  }
}

const overLoopback: Start = async (options) => {
  const server = await serve({ ...options, database: ':memory:', port: 0 });
  const fetch: Fetch = (url, init) => globalThis.fetch(url, init);
  return { url: server.url, receiver: server.receiver, fetch, close: () => server.close() };
};

const inProcess: Start = async (options) => {
  const receiver = createReceiver({ ...options, database: new DatabaseSync(':memory:') });
  return {
    url: 'http://server.test/sync',
    receiver,
    fetch: (url, init) => receiver(new Request(url, init)),
    close: () => receiver.close(),
  };
};

testRemote('httpRemote over loopback', () => createHarness(overLoopback), {
  describe,
  test,
  expect,
});
testRemote('httpRemote wired to the receiver', () => createHarness(inProcess), {
  describe,
  test,
  expect,
});
