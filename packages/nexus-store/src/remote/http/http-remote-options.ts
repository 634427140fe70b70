import {
  COUNT,
  eitherOf,
  FLAG,
  FUNCTION,
  OBJECT,
  oneOf,
  requireOptions,
  TEXT,
} from '../../core/model/arguments.ts';
import type { Kind, Kinds } from '../../core/model/arguments.ts';
import { UsageError } from '../../core/model/errors.ts';
import { unsendablePart } from './credentials.ts';
import type { HeadersSource, RefreshCredentials } from './credentials.ts';
import type { ClassifyAnswer } from './http-answer.ts';
import type { PROTOCOL_PATHS } from './protocol.ts';
import type { Fetch } from './transport.ts';

export interface HttpRemoteOptions {
  /**
   * Where the server's protocol paths begin, for example `https://api.example.com/sync`. In a page and in its
   * service worker also a path of the server that they come from: `/sync`.
   */
  readonly url: string;
  /**
   * Headers of every request, asked for at send time and never kept: credentials belong here. A rejected
   * promise means that nobody is signed in, unless it is a failure of the network.
   */
  readonly headers?: HeadersSource;
  /**
   * Gets new credentials after a 401, so that the next call of `headers` returns them. Called once for
   * all requests under way; each of them is sent once more. Without it a 401 is final.
   */
  readonly refreshCredentials?: RefreshCredentials;
  /** The app's own reading of an answer, asked before the built-in table. Must not throw. */
  readonly classify?: ClassifyAnswer;
  /**
   * The most entries in one request.
   *
   * @defaultValue `100`
   */
  readonly maxBatch?: number;
  /**
   * False for a server that offers no pull, or no events. In Node the open stream of events does not keep
   * the process alive.
   *
   * @defaultValue `true`
   */
  readonly pull?: boolean;
  readonly events?: boolean;
  /** Paths that differ from the protocol's, joined to `url`. */
  readonly paths?: Partial<typeof PROTOCOL_PATHS>;
  /** Fetch's own `credentials`, for servers that use cookies. */
  readonly credentials?: 'omit' | 'same-origin' | 'include';
  /** Called when an answer says how often the server would like to be asked. Must not throw. @unit milliseconds */
  readonly onSyncInterval?: (intervalMs: number) => void;
  /** @defaultValue the platform's `fetch` */
  readonly fetch?: Fetch;
}

const PATH: Kind = {
  said: 'a path that begins with /',
  fits: (value) => typeof value === 'string' && value.startsWith('/'),
};
const OPTIONS: Kinds<HttpRemoteOptions> = {
  url: TEXT,
  headers: { ...eitherOf(OBJECT, FUNCTION), isSecret: true },
  refreshCredentials: FUNCTION,
  classify: FUNCTION,
  maxBatch: COUNT,
  pull: FLAG,
  events: FLAG,
  paths: OBJECT,
  credentials: oneOf('omit', 'same-origin', 'include'),
  onSyncInterval: FUNCTION,
  fetch: FUNCTION,
};
const PATHS: Kinds<typeof PROTOCOL_PATHS> = { push: PATH, pull: PATH, events: PATH };

/** @throws UsageError `usage/invalid-argument`, naming the option */
export function requireHttpRemoteOptions(options: HttpRemoteOptions): void {
  requireOptions('httpRemote', options, OPTIONS);
  requireOptions('paths', options.paths ?? {}, PATHS);
  requireSendable(options.headers);
}

/** What is fixed can be looked at once: a variable of the environment may be missing. */
function requireSendable(headers: HeadersSource | undefined): void {
  if (headers === undefined || typeof headers === 'function') return;
  const wrong = unsendablePart(headers);
  if (wrong === null) return;
  throw new UsageError('usage/invalid-argument', `headers cannot be sent: ${wrong}`);
}

/** @throws UsageError `usage/invalid-argument` for what no request can be sent to */
export function baseUrl(given: string | undefined): string {
  const url = withOrigin(given);
  if (url === undefined || !/^https?:\/\/[^/?#]/i.test(url) || /[?#]/.test(url) || !isUrl(url)) {
    const message =
      'url must be an absolute http or https URL without query and fragment, or in a page or its worker a path that begins with /';
    throw new UsageError('usage/invalid-argument', message);
  }
  if (/^https?:\/\/[^/]*@/i.test(url)) {
    const message = 'url must not hold a user name or a password: credentials belong into headers';
    throw new UsageError('usage/invalid-argument', message);
  }
  return url.replace(/\/+$/, '');
}

/** A path means the server that the page or worker comes from. Only what begins with / means the same in both. */
function withOrigin(url: string | undefined): string | undefined {
  const { location } = globalThis as { readonly location?: { readonly origin?: unknown } };
  const origin = location?.origin;
  return url !== undefined && /^\/(?!\/)/.test(url) && typeof origin === 'string'
    ? origin + url
    : url;
}

/** Of old Hermes the class understands little: there the pattern has to do. */
function isUrl(url: string): boolean {
  return typeof URL !== 'function' || typeof URL.canParse !== 'function' || URL.canParse(url);
}
