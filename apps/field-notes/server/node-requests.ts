import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';

type Body = NonNullable<RequestInit['body']>;

/** A request of Node's server as a standard one. Its body is read as it is asked for. */
export function standardRequest(message: IncomingMessage): Request {
  const { method = 'GET' } = message;
  const headers = new Headers();
  for (const [name, value] of Object.entries(message.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  const hasBody = method !== 'GET' && method !== 'HEAD';
  return new Request(new URL(message.url ?? '/', 'http://field-notes'), {
    method,
    headers,
    ...(hasBody && { body: Readable.toWeb(message) as Body, duplex: 'half' }),
  });
}

export async function sendAnswer(answer: Response, response: ServerResponse): Promise<void> {
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  // Event streams would wait for their first event otherwise.
  response.flushHeaders();
  if (answer.body === null) return void response.end();
  // Ends early with its reader: a tab that is closed.
  await pipeline(Readable.fromWeb(answer.body as ReadableStream), response).catch(() => undefined);
}
