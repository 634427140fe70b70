import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import { createReceiver, type Receiver } from '@nexus-store/server';
import { PROTOCOL_CONTENT_TYPE, type WirePushRequest } from 'nexus-store/http';
import { describe, expect, test, type TestContext } from 'vitest';
import { CliFolder, type CliRun } from '../testing/run-cli.ts';

/** Real processes share two cores here. */
const TIMEOUT_MS = 60_000;
const RECORDS = ['a', 'b', 'c'];
const env = { NEXUS_STORE_TOKEN: 't' };

type Answer = (context: {
  readonly response: ServerResponse;
  readonly body: string;
  /** Lets the real server apply the push, and gives its answer. */
  readonly apply: () => Promise<string>;
}) => void | Promise<void>;

/** A server of the protocol that can be told to answer something else. */
class Endpoint {
  readonly receiver: Receiver = createReceiver({
    database: new DatabaseSync(':memory:'),
    authenticate: { t: 'user' },
  });
  /** What it answers to a push; undefined: what it should. */
  answer: Answer | undefined;
  pushes = 0;
  readonly #server: Server = createServer((request, response) => {
    void this.#handle(request, response);
  });

  async url(): Promise<string> {
    if (!this.#server.listening) {
      this.#server.listen(0, '127.0.0.1');
      await once(this.#server, 'listening');
    }
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await this.receiver.close();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.pushes += 1;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const headers = { authorization: 'Bearer t', 'content-type': PROTOCOL_CONTENT_TYPE };
    const apply = async (): Promise<string> => {
      const push = new Request('http://a/v1/push', { method: 'POST', headers, body });
      return (await this.receiver(push)).text();
    };
    if (this.answer !== undefined) await this.answer({ response, body, apply });
    else response.writeHead(200, { 'content-type': PROTOCOL_CONTENT_TYPE }).end(await apply());
  }
}

/** A folder with three records queued, and the server they are for. */
async function queued({
  onTestFinished,
}: TestContext): Promise<{ folder: CliFolder; endpoint: Endpoint; sync: string[] }> {
  const folder = new CliFolder();
  const endpoint = new Endpoint();
  onTestFinished(async () => {
    await endpoint.close();
    folder.remove();
  });
  writeFileSync(folder.file('r.ndjson'), RECORDS.map((id) => JSON.stringify({ id })).join('\n'));
  await folder.run(['import', 'r.ndjson', '--collection', 'reports']);
  return { folder, endpoint, sync: ['sync', '--url', await endpoint.url()] };
}

/** What the server of the protocol applied, by entity. */
async function arrived(endpoint: Endpoint): Promise<readonly string[]> {
  const arrivals = await endpoint.receiver.arrivals('user');
  return arrivals.map(({ entity }) => String(JSON.parse(entity))).toSorted(byText);
}

const byText = (a: string, b: string): number => (a < b ? -1 : 1);

/** The server is well again: everything gets there, and nothing twice. */
async function expectAllOnce(folder: CliFolder, endpoint: Endpoint, sync: string[]): Promise<void> {
  endpoint.answer = undefined;
  await folder.run(['retry', '--all']);

  const { code } = await folder.run([...sync, '--wait', '--budget', '30s'], { env });

  expect(code).toBe(0);
  expect(await arrived(endpoint)).toEqual(RECORDS);
  expect(await folder.json(['status'])).toMatchObject({ waiting: 0, dead: 0, blockedBy: null });
}

const page =
  (status: number, headers: Record<string, string> = {}, text = ''): Answer =>
  ({ response }) =>
    void response.writeHead(status, headers).end(text);

const html = page(
  200,
  { 'content-type': 'text/html' },
  '<html>Sign in to the hotel network</html>',
);
const ours = { 'content-type': PROTOCOL_CONTENT_TYPE };

/** Two minutes. */
const RETRY_AFTER: readonly (readonly [form: string, text: () => string])[] = [
  ['seconds', () => '120'],
  ['a date', () => new Date(Date.now() + 120_000).toUTCString()],
];

/** What the command says of a server that will not take anything. */
interface Said {
  readonly answer: Answer;
  readonly options?: readonly string[];
  readonly code: number;
  readonly stdout: RegExp;
  readonly report: object;
}

const waiting = { pushed: 0, remaining: RECORDS.length, deadLetters: 0, openConflicts: 0 };
const failure = (code: string, status?: number): object =>
  expect.objectContaining(status === undefined ? { code } : { code, status }) as object;

const SERVERS: Readonly<Record<string, Said>> = {
  'answers with the page of a hotel network': {
    answer: html,
    code: 3,
    stdout: /something answered that is not the sync server/,
    report: { ...waiting, stoppedBy: 'offline', lastFailure: failure('remote/protocol', 200) },
  },
  'answers 401': {
    answer: page(401),
    code: 3,
    stdout: /the server refused the credentials; put a valid token into NEXUS_STORE_TOKEN/,
    report: {
      ...waiting,
      stoppedBy: 'blocked',
      blockedBy: { reason: 'unauthorised', until: null },
      lastFailure: failure('remote/unauthorised', 401),
    },
  },
  'is another one, or has another path': {
    answer: page(404, { 'content-type': 'text/html' }, '<h1>Not found</h1>'),
    code: 3,
    stdout: /nothing at this --url speaks the sync protocol; check it, its path too/,
    report: { ...waiting, stoppedBy: 'blocked', lastFailure: failure('remote/protocol', 404) },
  },
  'takes no push at this path, as its framework says': {
    answer: page(405, { 'content-type': 'application/json' }, '{"detail":"Method Not Allowed"}'),
    code: 3,
    stdout: /nothing at this --url speaks the sync protocol; check it, its path too/,
    report: { ...waiting, stoppedBy: 'blocked', lastFailure: failure('remote/protocol', 405) },
  },
  'answers 413 to each single record': {
    answer: page(413),
    code: 4,
    stdout: /3 dead letters; see "nexus-store inspect --state dead"/,
    report: { ...waiting, remaining: 0, deadLetters: RECORDS.length, stoppedBy: 'drained' },
  },
  'answers 500': {
    answer: page(500),
    code: 3,
    stdout: /the server refuses for now \(remote\/server\); sync again later/,
    report: { ...waiting, stoppedBy: 'blocked', lastFailure: failure('remote/server', 500) },
  },
  hangs: {
    answer: () => {},
    options: ['--timeout', '200ms'],
    code: 3,
    stdout: /the server could not be reached \(remote\/timeout\)/,
    report: { ...waiting, stoppedBy: 'offline', lastFailure: failure('remote/timeout') },
  },
  'closes the connection in the middle of its answer': {
    answer: ({ response }) => {
      response.writeHead(200, { ...ours, 'content-length': '1000' }).write('{"protocol":1');
      setTimeout(() => response.destroy(), 10);
    },
    code: 3,
    stdout: /the server could not be reached \(remote\/offline\)/,
    report: { ...waiting, stoppedBy: 'offline', lastFailure: failure('remote/offline') },
  },
  'answers what is no JSON': {
    answer: page(200, ours, 'oops'),
    code: 3,
    stdout: /something answered that is not the sync server/,
    report: { ...waiting, stoppedBy: 'offline', lastFailure: failure('remote/protocol', 200) },
  },
};

describe.concurrent('a server that', () => {
  test.for(Object.entries(SERVERS))(
    '%s: one plain line, the right exit code, nothing lost',
    { timeout: TIMEOUT_MS },
    async ([, { answer, options = [], code, stdout, report }], context) => {
      const { folder, endpoint, sync } = await queued(context);
      endpoint.answer = answer;

      const said = await folder.run([...sync, ...options], { env });
      const again = JSON.parse((await forced(folder, [...sync, ...options])).stdout) as object;

      expect({ code: said.code, stderr: said.stderr }).toEqual({ code, stderr: '' });
      expect(said.stdout).toMatch(stdout);
      expect(again).toMatchObject(report);
      await expectAllOnce(folder, endpoint, sync);
    },
  );

  test.for(RETRY_AFTER)(
    'answers 429 with Retry-After in %s is left alone until then',
    { timeout: TIMEOUT_MS },
    async ([, retryAfter], context) => {
      const { folder, endpoint, sync } = await queued(context);
      endpoint.answer = ({ response }) =>
        void response.writeHead(429, { 'retry-after': retryAfter() }).end();
      const before = Date.now();

      const first = await folder.run(sync, { env });
      const { pushes } = endpoint;
      const second = await folder.json(sync, { env });

      expect(first.code).toBe(3);
      expect(first.stdout).toMatch(/the server refuses for now \(remote\/throttled\)/);
      expect(first.stdout).toMatch(/3 entries left, safe in the queue; next attempt/);
      expect(second).toMatchObject({ stoppedBy: 'blocked', ...waiting });
      expect(second).toMatchObject({ lastFailure: { code: 'remote/throttled', status: 429 } });
      expect((second['nextAttemptAt'] as number) - before).toBeGreaterThan(115_000);
      expect((second['nextAttemptAt'] as number) - before).toBeLessThan(150_000);
      // Not even an explicit sync asks a server that asked to wait.
      expect(endpoint.pushes).toBe(pushes);
    },
  );

  test(
    'asked to wait gets everything once the time is over',
    async (context) => {
      const { folder, endpoint, sync } = await queued(context);
      endpoint.answer = page(429, { 'retry-after': '1' });
      await folder.run(sync, { env });

      await expectAllOnce(folder, endpoint, sync);
    },
    TIMEOUT_MS,
  );

  test(
    'applies a push and dies before it can say so gets nothing twice',
    async (context) => {
      const { folder, endpoint, sync } = await queued(context);
      endpoint.answer = async ({ response, apply }) => {
        await apply();
        response.destroy();
      };

      const { code, stdout } = await folder.run(sync, { env });

      expect(code).toBe(3);
      expect(stdout).toContain('3 entries left, safe in the queue');
      expect(await arrived(endpoint)).toEqual(RECORDS);
      await expectAllOnce(folder, endpoint, sync);
    },
    TIMEOUT_MS,
  );

  test(
    'speaks of other entries, or of one of them only, is believed for no other',
    async (context) => {
      const { folder, endpoint, sync } = await queued(context);
      endpoint.answer = ({ response, body }) => {
        const { operations } = JSON.parse(body) as WirePushRequest;
        const applied = { status: 'applied', version: '1' };
        const results = [
          { id: operations[0]?.id, ...applied },
          // Contradictory, unknown, and of a prototype's name.
          { id: operations[1]?.id, ...applied },
          { id: operations[1]?.id, status: 'rejected', problem: { type: 'constructor' } },
          { id: 'e999', ...applied },
          { id: '__proto__', ...applied },
        ];
        response.writeHead(200, ours).end(JSON.stringify({ protocol: 1, results }));
      };

      const report = await folder.json(sync, { env });

      expect(report).toMatchObject({ pushed: 1, remaining: 2, deadLetters: 0 });
      endpoint.answer = undefined;
      await folder.run([...sync, '--wait', '--budget', '30s'], { env });
      expect(await arrived(endpoint)).toEqual(['b', 'c']);
      expect(await folder.json(['status'])).toMatchObject({ waiting: 0, dead: 0 });
    },
    TIMEOUT_MS,
  );
});

/** Once more, now: what waits for its next attempt is told to go. */
async function forced(folder: CliFolder, sync: readonly string[]): Promise<CliRun> {
  await folder.run(['retry', '--all']);
  return folder.run([...sync, '--json'], { env });
}
