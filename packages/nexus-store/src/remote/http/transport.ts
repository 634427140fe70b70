import { isNexusError } from '../../core/model/errors.ts';
import type { RemoteErrorCode } from '../../core/model/errors.ts';
import type { RemoteContext } from '../../core/ports/remote.ts';
import { AbortedError, abortable, firstOf } from './abortable.ts';
import {
  BodyTooLargeError,
  boundedText,
  MAX_ANSWER_BYTES,
  MAX_ERROR_BYTES,
} from './bounded-body.ts';
import { secretsIn, unsendablePart } from './credentials.ts';
import type { AttachedHeaders, Credentials } from './credentials.ts';
import { excerpt } from './excerpt.ts';
import { letProcessEnd } from './idle-socket.ts';
import { hasMediaType, PROTOCOL_CONTENT_TYPE } from './protocol.ts';

/** The part of the standard `fetch` that is used; a server's request handler can stand in for it. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly accept: string;
  readonly contentType?: string;
  readonly body?: string;
}

/** An answer whose body was read. */
export interface HttpReply {
  readonly kind: 'reply';
  readonly status: number;
  readonly header: (name: string) => string | null;
  readonly text: string;
  /** Header values that were sent and their parts, so that no echo of them is kept. */
  readonly secrets: readonly string[];
}

/** No usable answer. */
export interface NoReply {
  readonly kind: 'no-reply';
  readonly code: RemoteErrorCode;
  /** False only if the request certainly never reached a server. */
  readonly ambiguous: boolean;
  readonly detail: string;
  /** It was held back on this device: that says nothing of the server. */
  readonly isWithheld?: true;
  /** It came from our server, and is longer than this client reads. */
  readonly isTooLong?: true;
  readonly status?: number;
  readonly cause: unknown;
}

/** Node says with these that no connection came about, so that nothing was sent. */
const NEVER_SENT_CODES: ReadonlySet<unknown> = new Set(['ENOTFOUND', 'ECONNREFUSED', 'EAI_AGAIN']);

/** Fetch's own `credentials`; spelt out, since the name of its type exists only beside a DOM. */
export type CookiePolicy = 'omit' | 'same-origin' | 'include';

export interface TransportOptions {
  readonly fetch: Fetch;
  readonly credentials: Credentials;
  /** Sent as fetch's own `credentials` (cookies). */
  readonly cookies?: CookiePolicy;
}

interface Opened {
  readonly kind: 'opened';
  readonly response: Response;
  readonly secrets: readonly string[];
}

/** Sends requests with credentials attached at that moment, refreshed once if they are refused. */
export class Transport {
  readonly #options: TransportOptions;
  readonly #closing = new AbortController();

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  close(): void {
    this.#closing.abort();
  }

  /** Never rejects: whatever goes wrong is a `NoReply`. */
  async exchange(request: HttpRequest, context: RemoteContext): Promise<HttpReply | NoReply> {
    const { signal, release } = firstOf([context.signal, this.#closing.signal]);
    try {
      const opened = await this.#open(request, context, signal);
      return opened.kind === 'opened' ? await readReply(opened, signal) : opened;
    } finally {
      release();
    }
  }

  /** Hands the answer to `use` while its body still streams; aborts it when `use` settles. */
  async stream(
    request: HttpRequest,
    context: RemoteContext,
    use: (response: Response, signal: AbortSignal) => Promise<NoReply | undefined>,
  ): Promise<HttpReply | NoReply | undefined> {
    const ended = new AbortController();
    const unwatch = letProcessEnd(request.url, request.accept);
    const { signal, release } = firstOf([context.signal, this.#closing.signal, ended.signal]);
    try {
      const opened = await this.#open(request, context, signal);
      if (opened.kind !== 'opened') return opened;
      if (!opened.response.ok) return await readReply(opened, signal);
      return await use(opened.response, signal);
    } finally {
      unwatch();
      ended.abort();
      release();
    }
  }

  async #open(
    request: HttpRequest,
    context: RemoteContext,
    signal: AbortSignal,
  ): Promise<Opened | NoReply> {
    const first = await this.#send(request, context, signal);
    if (first.kind !== 'sent' || first.response.status !== 401) return opened(first);
    const refused = await this.#renew(context, first.headers.generation, signal);
    if (refused === false) return opened(first);
    if (refused !== true) return refused;
    void first.response.body?.cancel().catch(() => {});
    return opened(await this.#send(request, context, signal));
  }

  async #send(
    request: HttpRequest,
    context: RemoteContext,
    signal: AbortSignal,
  ): Promise<Sent | NoReply> {
    let headers: AttachedHeaders;
    try {
      headers = await abortable(this.#options.credentials.attach(context), signal);
    } catch (cause) {
      return noCredentials(cause);
    }
    const wrong = unsendablePart(headers.values);
    if (wrong !== null) return unsendable(wrong);
    // Credentials may have taken their time, and so may the answer that this is sent again after.
    if (!context.maySend()) return withheld();
    const secrets = secretsIn(headers.values);
    try {
      const sending = this.#options.fetch(request.url, this.#init(request, headers, signal));
      return { kind: 'sent', response: await abortable(sending, signal), headers, secrets };
    } catch (cause) {
      return networkFailure(cause, secrets);
    }
  }

  #init(request: HttpRequest, headers: AttachedHeaders, signal: AbortSignal): RequestInit {
    return {
      method: request.method,
      headers: {
        accept: request.accept,
        ...(request.contentType !== undefined && { 'content-type': request.contentType }),
        ...headers.values,
      },
      ...(request.body !== undefined && { body: request.body }),
      ...(this.#options.cookies !== undefined && { credentials: this.#options.cookies }),
      cache: 'no-store',
      redirect: 'manual',
      signal,
    };
  }

  async #renew(
    context: RemoteContext,
    generation: number,
    signal: AbortSignal,
  ): Promise<boolean | NoReply> {
    try {
      return await abortable(this.#options.credentials.renew(context, generation), signal);
    } catch (cause) {
      return noCredentials(cause);
    }
  }
}

interface Sent {
  readonly kind: 'sent';
  readonly response: Response;
  readonly headers: AttachedHeaders;
  readonly secrets: readonly string[];
}

function opened(sent: Sent | NoReply): Opened | NoReply {
  if (sent.kind === 'no-reply') return sent;
  return { kind: 'opened', response: sent.response, secrets: sent.secrets };
}

async function readReply(from: Opened, signal: AbortSignal): Promise<HttpReply | NoReply> {
  const { response, secrets } = from;
  const limit = response.ok ? MAX_ANSWER_BYTES : MAX_ERROR_BYTES;
  const header = (name: string): string | null => response.headers.get(name);
  try {
    const text = await abortable(boundedText(response, limit, response.ok), signal);
    return { kind: 'reply', status: response.status, header, text, secrets };
  } catch (cause) {
    // The status of a refusal is already known and says more than its unreadable page.
    if (!response.ok && !signal.aborted) {
      return { kind: 'reply', status: response.status, header, text: '', secrets };
    }
    if (cause instanceof BodyTooLargeError) {
      const isOurs = hasMediaType(header('content-type'), PROTOCOL_CONTENT_TYPE);
      const reply = unusable(response.status, cause.message, cause);
      return isOurs ? { ...reply, isTooLong: true } : reply;
    }
    return networkFailure(cause, secrets);
  }
}

/** An answer came, and it is not one of ours. */
export function unusable(status: number, detail: string, cause?: unknown): NoReply {
  return { kind: 'no-reply', code: 'remote/protocol', ambiguous: true, detail, status, cause };
}

/**
 * Fetch would fail as it does without a network, and the entries would be tried for ever; or it would send
 * the word `undefined` for a token.
 */
function unsendable(wrong: string): NoReply {
  const detail = `headers gave what cannot be sent: ${wrong}; names and values must be texts without line ends`;
  // Without the cause: fetch repeats the header, and so the token.
  return {
    kind: 'no-reply',
    code: 'remote/unauthorised',
    ambiguous: false,
    detail,
    cause: undefined,
  };
}

function withheld(): NoReply {
  const detail = 'held back: its time was over before it could leave';
  return {
    kind: 'no-reply',
    code: 'remote/timeout',
    ambiguous: false,
    detail,
    isWithheld: true,
    cause: undefined,
  };
}

/**
 * Asking for credentials failed before anything was sent. Being offline must not sign anybody out, so
 * a failure of the network is told from a refusal.
 */
function noCredentials(cause: unknown): NoReply {
  const isNetwork =
    cause instanceof AbortedError ||
    cause instanceof TypeError ||
    isNexusError(cause, 'remote/offline') ||
    isNexusError(cause, 'remote/timeout');
  const code = isNetwork ? networkCode(cause) : 'remote/unauthorised';
  const detail = isNetwork ? 'no credentials: the network failed' : 'no credentials';
  return { kind: 'no-reply', code, ambiguous: false, detail, cause };
}

function networkFailure(cause: unknown, secrets: readonly string[]): NoReply {
  const code = causeCode(cause);
  const text = [code, cause instanceof Error ? cause.message : '']
    .filter((part) => typeof part === 'string' && part !== '')
    .join(': ');
  return {
    kind: 'no-reply',
    code: networkCode(cause),
    ambiguous: !NEVER_SENT_CODES.has(code),
    detail: excerpt(text, secrets),
    cause,
  };
}

function networkCode(cause: unknown): RemoteErrorCode {
  return cause instanceof Error && cause.name === 'AbortError'
    ? 'remote/timeout'
    : 'remote/offline';
}

/** Node hides the system's error code in the cause of a bare "fetch failed". */
function causeCode(error: unknown): unknown {
  if (!(error instanceof Error)) return undefined;
  const { cause } = error;
  return typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
}
