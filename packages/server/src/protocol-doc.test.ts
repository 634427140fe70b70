import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { ProblemType } from 'nexus-store/http';
import { afterAll, describe, expect, test } from 'vitest';
import { createReceiver } from './index.ts';

const text = readFileSync(new URL('../../../docs/reference/protocol.md', import.meta.url), 'utf8');

interface Message {
  readonly line: number;
  readonly start: string;
  readonly headers: Headers;
  readonly body: string;
}

interface Example {
  readonly request: Message;
  readonly answer: Message;
}

/** The examples of the document: a block with a request, then one with the answer to it. */
function examplesOf(markdown: string): readonly Example[] {
  const messages = [...markdown.matchAll(/^```http\n([\s\S]*?)^```$/gm)].map((match) =>
    messageOf(match[1] ?? '', markdown.slice(0, match.index).split('\n').length),
  );
  const examples: Example[] = [];
  for (let at = 0; at < messages.length; at += 2) {
    const [request, answer] = messages.slice(at, at + 2);
    if (request === undefined || !answer?.start.startsWith('HTTP/1.1 ')) {
      throw new Error(`protocol.md:${request?.line}: a request without its answer`);
    }
    examples.push({ request, answer });
  }
  return examples;
}

function messageOf(block: string, line: number): Message {
  const [head = '', ...body] = block.split('\n\n');
  const [start = '', ...headers] = head.trim().split('\n');
  const pairs = headers.map((header): [string, string] => {
    const colon = header.indexOf(':');
    return [header.slice(0, colon), header.slice(colon + 1).trim()];
  });
  return { line, start, headers: new Headers(pairs), body: body.join('\n\n').trim() };
}

describe('the examples of protocol.md', () => {
  const receiver = createReceiver({
    database: new DatabaseSync(':memory:'),
    authenticate: { 'token-of-ada': 'ada' },
  });
  afterAll(() => receiver.close());
  /** Cursors of the document by the cursor the server gave. */
  const cursors = new Map<string, string>();
  const examples = examplesOf(text);

  test('are there', () => {
    expect(examples.length).toBeGreaterThanOrEqual(9);
  });

  test.each(examples.map((example) => [example.request.line, example.request.start, example]))(
    'line %i: %s',
    async (_line, _start, { request, answer }) => {
      const response = await receiver(requestOf(request, cursors));

      expect(response.status).toBe(Number(answer.start.split(' ')[1]));
      for (const [name, value] of answer.headers) expect(response.headers.get(name)).toBe(value);
      const expected = JSON.parse(answer.body) as { cursor?: string };
      const actual = (await response.json()) as { cursor?: string };
      if (expected.cursor !== undefined && actual.cursor !== undefined) {
        cursors.set(expected.cursor, actual.cursor);
        actual.cursor = expected.cursor;
      }
      expect(actual).toEqual(expected);
    },
  );
});

function requestOf(message: Message, cursors: ReadonlyMap<string, string>): Request {
  const [method = '', path = ''] = message.start.split(' ');
  const real = path.replace(/cursor=([\w-]+)/, (_all, name: string) => {
    return `cursor=${encodeURIComponent(cursors.get(name) ?? name)}`;
  });
  return new Request(`http://server.test${real}`, {
    method,
    headers: message.headers,
    ...(message.body !== '' && { body: message.body }),
  });
}

test('protocol.md names every problem type', () => {
  const missing = Object.values(ProblemType).filter(
    (type) => !text.includes(`\`${type.replace('urn:nexus-store:problem:', '')}\``),
  );

  expect(missing).toEqual([]);
});
