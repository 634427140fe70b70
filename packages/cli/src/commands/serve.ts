import { once } from 'node:events';
import { statSync } from 'node:fs';
import {
  serve,
  StoreFailure,
  type RunningServer,
  type StoreFailureKind,
} from '@nexus-store/server';
import { CliError, type CliErrorCode } from '../cli-error.ts';
import type { Command, CommandContext } from '../command.ts';
import { counted, plain } from '../format.ts';
import type { Options } from '../options.ts';
import { secret, tokenPairs } from '../tokens.ts';

const DEFAULT_PORT = 8787;

export const serveCommand: Command = {
  name: 'serve',
  summary: 'run the reference server',
  options: {
    db: { type: 'string' },
    port: { type: 'string' },
    host: { type: 'string' },
    path: { type: 'string' },
    'tokens-file': { type: 'string' },
    origin: { type: 'string', multiple: true },
  },
  help: `nexus-store serve [options]

Runs the reference server until Ctrl-C. Who may use it stands in $NEXUS_STORE_TOKENS or a file, as pairs
of a bearer token and the user it belongs to: token=user, one on each line. Each user has data of their
own. Put a proxy with TLS in front before other machines use it.

  --db FILE            the server's database (default: $NEXUS_STORE_SERVER_DB, else nexus-server.db)
  --port N             0 takes a free one (default: ${DEFAULT_PORT})
  --host HOST          the address to listen on (default: 127.0.0.1, this machine only)
  --path PATH          before the protocol's paths, for example /sync
  --tokens-file FILE   the file with the tokens (default: $NEXUS_STORE_TOKENS)
  --origin ORIGIN      a web origin that may use it from a browser; may be given several times`,

  async run({ options, env, signal, print }: CommandContext): Promise<null> {
    const tokens = secret(options.text('tokens-file'), 'NEXUS_STORE_TOKENS', env);
    if (tokens === undefined) {
      throw new CliError(
        'usage/missing-argument',
        'serve needs to know who may use it: put token=user into NEXUS_STORE_TOKENS or a --tokens-file',
      );
    }
    const users = tokenPairs(tokens);
    const database = options.text('db') ?? (env['NEXUS_STORE_SERVER_DB'] || 'nexus-server.db');
    requireFile(database);
    const server = await start(options, database, users);
    print({
      text: `serving ${plain(database, 200)} at ${server.url} for ${counted(new Set(users.values()).size, 'user')}; stop with Ctrl-C`,
      json: { url: server.url, port: server.port, database },
    });
    if (!signal.aborted) await once(signal, 'abort');
    await server.close();
    return null;
  },
};

/** SQLite would say no more than that it cannot open it. */
function requireFile(database: string): void {
  const isFolder = statSync(database, { throwIfNoEntry: false })?.isDirectory() === true;
  if (!isFolder) return;
  const message = `${plain(database, 200)} is a folder; name a database file with --db`;
  throw new CliError('storage/unavailable', message);
}

async function start(
  options: Options,
  database: string,
  users: ReadonlyMap<string, string>,
): Promise<RunningServer> {
  const port = options.count('port', 0) ?? DEFAULT_PORT;
  if (port > 65_535) throw new CliError('usage/invalid-argument', '--port is at most 65535');
  const [host, path, origins] = [options.text('host'), pathOf(options), options.list('origin')];
  try {
    return await serve({
      database,
      authenticate: users,
      port,
      ...(host === undefined ? {} : { host }),
      ...(path === undefined ? {} : { path }),
      ...(origins.length === 0 ? {} : { allowedOrigins: origins.includes('*') ? '*' : origins }),
      onError: (error) => {
        if (process.env['NEXUS_STORE_DEBUG']) console.error(error);
      },
    });
  } catch (error) {
    throw startFailure(error, port, host ?? '127.0.0.1', database);
  }
}

const SEGMENTS = /^(\/[\w.~-]+)*\/?$/;

function pathOf(options: Options): string | undefined {
  const path = options.text('path');
  if (path === undefined || SEGMENTS.test(path)) return path;
  throw new CliError(
    'usage/invalid-argument',
    `--path begins with / and has letters, digits and . _ ~ - between slashes, for example /sync; ${plain(path)} does not`,
  );
}

function startFailure(error: unknown, port: number, host: string, database: string): unknown {
  const { code } = error as { code?: unknown };
  if (code === 'EADDRINUSE') {
    return new CliError(
      'cli/port-in-use',
      `port ${port} is taken by another program; choose one with --port, or --port 0 for a free one`,
      { cause: error },
    );
  }
  if (code === 'EACCES' || code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return new CliError(
      'usage/invalid-argument',
      `cannot listen on ${plain(host)} port ${port} (${code}); choose others with --host and --port`,
      { cause: error },
    );
  }
  return error instanceof StoreFailure ? databaseFailure(error, database) : error;
}

/** The codes are the library's: the same things happen to its databases. */
const DATABASE_FAILURES: Readonly<Record<StoreFailureKind, [code: CliErrorCode, what: string]>> = {
  busy: [
    'storage/busy',
    'is locked by another program; close that, for example another server that is starting',
  ],
  full: ['storage/quota-exceeded', 'has no space left on its disk; free some'],
  corrupt: [
    'storage/corrupt',
    'is damaged or no SQLite database; name another with --db, or restore a copy',
  ],
  'read-only': [
    'storage/read-only',
    'cannot be written; change the permissions of the file and its folder, or name another with --db',
  ],
  unavailable: [
    'storage/unavailable',
    'cannot be opened; check that its folder is there and may be read, or name another with --db',
  ],
  foreign: [
    'usage/invalid-argument',
    'belongs to another program (the database of an app, perhaps); name another with --db',
  ],
  'too-new': ['storage/version-too-new', 'was written by a newer server; update this one'],
  failed: ['storage/unavailable', 'failed'],
};

function databaseFailure(failure: StoreFailure, database: string): CliError {
  const [code, what] = DATABASE_FAILURES[failure.kind];
  const { cause } = failure;
  const reason =
    failure.kind === 'failed' && cause instanceof Error ? ` (${plain(cause.message)})` : '';
  return new CliError(code, `the server's database ${plain(database, 200)} ${what}${reason}`, {
    cause: failure,
  });
}
