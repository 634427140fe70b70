import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createFieldServer, type FieldServer, type FieldServerOptions } from './field-server.ts';
import { StaticFiles } from './static-files.ts';

export interface ServeAppOptions extends FieldServerOptions {
  /** Where the built app lies. */
  readonly folder: string;
  /** 0 takes a free one, as does a port that is taken. */
  readonly port: number;
}

export interface ServedApp {
  readonly url: string;
  readonly field: FieldServer;
  close(): Promise<void>;
}

/** The built app and its server at one address of this machine, so that no other origin is involved. */
export async function serveApp(options: ServeAppOptions): Promise<ServedApp> {
  const files = new StaticFiles(options.folder);
  const field = await createFieldServer(options);
  const server = createServer((request, response) => {
    answer(files, field, request, response).catch((error: unknown) => {
      console.error('field-notes server:', error);
      response.destroy();
    });
  });
  const port = await listen(server, options.port).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error;
    return listen(server, 0);
  });
  return {
    // Browsers trust this name like HTTPS, and ask no name server for it.
    url: `http://localhost:${port}`,
    field,
    close: async () => {
      field.receiver.endStreams();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await field.close();
    },
  };
}

async function answer(
  files: StaticFiles,
  field: FieldServer,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://field-notes');
  if (request.method === 'GET' && files.answer(pathname, response)) return;
  if (await field.answer(request, response)) return;
  response.writeHead(404, { 'content-type': 'text/plain' }).end('not found');
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, 'localhost', () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}
