import { isNexusError, type WithoutStore } from 'nexus-store';
import { httpRemote } from 'nexus-store/http';
import { CliError } from './cli-error.ts';
import type { CommandContext } from './command.ts';
import type { Options } from './options.ts';
import { secret } from './tokens.ts';

/** The options by which a command finds its server. */
export const SERVER_OPTIONS = {
  url: { type: 'string' },
  'token-file': { type: 'string' },
} as const;

/** The options by which a command says what to do with collections, whose stores only the app has. */
export const COLLECTION_OPTIONS = {
  pull: { type: 'string', multiple: true },
  conflicts: { type: 'string' },
} as const;

export const COLLECTION_HELP = `  --pull COLLECTION    fetch what changed in this collection too; may be given several times
  --conflicts HOW      decide conflicts here: merge-fields, client-wins or server-wins (default: leave
                       them to the app, which decides them when it syncs next)`;

/** @throws CliError `usage/invalid-argument` */
export function withoutStore(options: Options): WithoutStore {
  const conflict = options.oneOf('conflicts', ['merge-fields', 'client-wins', 'server-wins']);
  const pull = options.list('pull');
  if (pull.includes(''))
    throw new CliError('usage/invalid-argument', '--pull needs the name of a collection');
  return { pull, ...(conflict === undefined ? {} : { conflict }) };
}

export interface ServerAccess {
  readonly url: string;
  /** With the token, if there is one. */
  readonly headers: Readonly<Record<string, string>>;
}

/** @throws CliError `usage/missing-argument`, `usage/invalid-argument`, `cli/unreadable` */
export function serverAccess(
  { options, env }: Pick<CommandContext, 'options' | 'env'>,
  command: string,
): ServerAccess {
  const url = options.text('url') ?? (env['NEXUS_STORE_URL'] || undefined);
  if (url === undefined) {
    throw new CliError(
      'usage/missing-argument',
      `${command} needs --url, for example --url https://api.example.com/sync`,
    );
  }
  requireUrl(url);
  const token = secret(options.text('token-file'), 'NEXUS_STORE_TOKEN', env);
  if (token !== undefined && !/^[\u0021-\u007E]+$/.test(token)) {
    // Not shown, not even in part.
    throw new CliError(
      'usage/invalid-argument',
      'the token holds a space, a line end or a letter that no token has; put in the token and nothing else',
    );
  }
  return { url, headers: token === undefined ? {} : { authorization: `Bearer ${token}` } };
}

/** Without repeating it: it may hold a password. */
function requireUrl(url: string): void {
  try {
    httpRemote({ url });
  } catch (error) {
    if (!isNexusError(error, 'usage/invalid-argument')) throw error;
    const message = error.message.replace(/^url /, '--url ');
    throw new CliError('usage/invalid-argument', message, { cause: error });
  }
}
