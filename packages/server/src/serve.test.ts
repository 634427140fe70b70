import { once } from 'node:events';
import { connect } from 'node:net';
import { PROTOCOL_CONTENT_TYPE } from 'nexus-store/http';
import { afterEach, describe, expect, test } from 'vitest';
import { serve } from './index.ts';
import type { RunningServer, ServeOptions } from './index.ts';

const running: RunningServer[] = [];
afterEach(async () => {
  for (const server of running.splice(0)) await server.close();
});

async function started(options: Partial<ServeOptions> = {}): Promise<RunningServer> {
  const authenticate = { t: 'u' };
  const server = await serve({ database: ':memory:', port: 0, authenticate, ...options });
  running.push(server);
  return server;
}

const headers = { authorization: 'Bearer t', 'content-type': PROTOCOL_CONTENT_TYPE };
const body = '{"protocol":1,"operations":[]}';

describe('the server', () => {
  test('says that it is healthy, without credentials', async () => {
    const { url } = await started();

    expect(await (await fetch(`${url}/health`)).json()).toEqual({ status: 'ok' });
  });

  test('listens on this machine only, and below a path if asked', async () => {
    const { url } = await started({ path: '/sync/' });

    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/sync$/);
    const response = await fetch(`${url}/v1/push`, { method: 'POST', headers, body });
    expect(response.status).toBe(200);
    expect(response.headers.get('date')).not.toBeNull();
  });

  test.each(['sync', 'sync/', '/a b', '/:id', '/*', '/a//b', '/a?b', 'http://a/sync'])(
    'refuses %j as a path',
    async (path) => {
      await expect(started({ path })).rejects.toThrow(
        new TypeError(`path must be like "/sync", not ${JSON.stringify(path)}`),
      );
    },
  );

  test('offers the protocol at its own path only', async () => {
    const { url, port } = await started({ path: '/sync' });

    for (const path of ['/v1/push', '/sync/x/v1/push', '/other/sync/v1/push', '/sync/v1/push/']) {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        method: 'POST',
        headers,
        body,
      });
      expect.soft([path, response.status]).toEqual([path, 404]);
      expect.soft(response.headers.get('content-type')).toBe('application/problem+json');
    }
    expect((await fetch(`${url}/v1/push`, { method: 'POST', headers, body })).status).toBe(200);
  });

  test('answers a body that is too large before it is all there, and the client sees it', async () => {
    const { url } = await started({ limits: { maxBodyBytes: 1_000_000 } });

    const large = ' '.repeat(3_000_000);
    const response = await fetch(`${url}/v1/push`, { method: 'POST', headers, body: large });

    expect(response.status).toBe(413);
  });

  test('says that an upgrade is required without becoming one', async () => {
    const { url } = await started();

    const response = await fetch(`${url}/v1/push`, { method: 'POST', headers, body: '{}' });

    expect([response.status, response.headers.get('upgrade')]).toEqual([426, 'nexus-store/1']);
  });

  test('lets browsers of named origins in', async () => {
    const { url } = await started({ allowedOrigins: ['https://app.example'] });
    const ask = (origin: string): Promise<Response> =>
      fetch(`${url}/v1/push`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST' },
      });

    const known = await ask('https://app.example');
    const unknown = await ask('https://evil.example');

    expect(known.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(unknown.headers.get('access-control-allow-origin')).toBeNull();
  });

  test('frees the stream of a client that is gone', async () => {
    const { url, receiver } = await started({ heartbeatMs: 2 });
    const controller = new AbortController();
    const response = await fetch(`${url}/v1/events`, { headers, signal: controller.signal });
    await response.body?.getReader().read();
    expect(receiver.streams).toBe(1);

    controller.abort();

    while (receiver.streams > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  test('closes while streams are open and a client is in the middle of its request', async () => {
    const server = await started({ closeTimeoutMs: 20 });
    const events = await fetch(`${server.url}/v1/events`, { headers });
    const slow = connect(server.port, '127.0.0.1');
    slow.on('error', () => {});
    const head = 'POST /v1/push HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\n';
    const type = `Content-Type: ${PROTOCOL_CONTENT_TYPE}\r\n`;
    await new Promise<void>((resolve) => {
      slow.write(`${head}${type}Content-Length: 100\r\n\r\n{`, () => resolve());
    });

    await Promise.all([server.close(), server.close()]);

    await events.text();
    await expect(fetch(`${server.url}/health`)).rejects.toThrow();
    slow.destroy();
  });

  test('does not wait for a connection on which nothing was asked', async () => {
    const server = await started({ closeTimeoutMs: 60_000 });
    const ahead = connect(server.port, '127.0.0.1');
    ahead.on('error', () => {});
    await once(ahead, 'connect');
    // Connections are taken in their order, so the server has the first one once it answers the second.
    await fetch(`${server.url}/health`);

    await server.close();

    ahead.destroy();
  });

  test('that cannot have its port says so', async () => {
    const { port } = await started();

    await expect(started({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});
