import {
  EVENTS_CONTENT_TYPE,
  ProblemType,
  PROTOCOL_CONTENT_TYPE,
  PROTOCOL_PATHS,
  PROTOCOL_VERSION,
} from 'nexus-store/http';
import type { WireProblem } from 'nexus-store/http';
import { principalOf } from './authenticate.ts';
import type { Authenticate, PrincipalOf } from './authenticate.ts';
import { boundedBody } from './body.ts';
import { increment } from './commands.ts';
import type { CommandHandler } from './commands.ts';
import { decide } from './decide.ts';
import type { Rules } from './decide.ts';
import { EventHub } from './event-hub.ts';
import { limitsOf } from './limits.ts';
import type { ReceiverLimits } from './limits.ts';
import { problem, problemResponse } from './problems.ts';
import { receivedOperation, refOf, suspicionOf } from './received-operation.ts';
import type { InvalidOperation, ReceivedOperation } from './received-operation.ts';
import { StoreFailure } from './receiver-store.ts';
import type { Arrival, ChangedRow, ReceiverStore, Wanted } from './receiver-store.ts';
import { SqliteReceiverStore } from './sqlite-receiver-store.ts';
import type { SqlDatabase, SqliteReceiverOptions } from './sqlite-receiver-store.ts';

export interface ReceiverOptions extends SqliteReceiverOptions {
  /** An open SQLite connection of the receiver's own (`new DatabaseSync(path)`), or another store. */
  readonly database: SqlDatabase | { readonly store: ReceiverStore };
  /** Each user sees and changes their own data only. */
  readonly authenticate: Authenticate;
  readonly limits?: Partial<ReceiverLimits>;
  /** Handlers of commands by name, besides `increment`. */
  readonly commands?: Readonly<Record<string, CommandHandler>>;
  /** Why an operation is forbidden, undefined if it is not; such an operation is rejected with 403. */
  readonly forbids?: (operation: ReceivedOperation, principal: string) => string | undefined;
  /** Seconds to wait before this request may come again, undefined to let it in; answered with 429. */
  readonly throttle?: (principal: string, request: Request) => number | undefined;
  /**
   * How long idempotency keys are remembered: longer than any client keeps an entry.
   *
   * @unit milliseconds
   * @defaultValue 30 days
   */
  readonly keyRetentionMs?: number;
  /**
   * How long deletions are told to those who pull. A cursor older than a forgotten deletion has expired.
   *
   * @unit milliseconds
   * @defaultValue 90 days
   */
  readonly tombstoneRetentionMs?: number;
  /** Tells clients how often to sync. @unit seconds */
  readonly syncIntervalSeconds?: number;
  /** @unit milliseconds @defaultValue `25_000` */
  readonly heartbeatMs?: number;
  /**
   * After which an event stream is ended. Its client connects again, and its credentials are looked at again.
   *
   * @unit milliseconds
   * @defaultValue one hour
   */
  readonly streamLifetimeMs?: number;
  /** Epoch milliseconds. @defaultValue `Date.now` */
  readonly now?: () => number;
  /** Told of failures that clients only see as 500, without payloads. */
  readonly onError?: (error: unknown) => void;
}

/** A handler of standard requests, with what its owner needs besides. */
export interface Receiver {
  (request: Request): Promise<Response>;
  /** Forgets old keys and tombstones now. Happens by itself once an hour when there are pushes. */
  sweep(): Promise<void>;
  /** The operations applied for a principal, in the order of their arrival. */
  arrivals(principal: string, after?: number, limit?: number): Promise<readonly Arrival[]>;
  /** Event streams open now. */
  readonly streams: number;
  /** Ends the event streams; `close` does so too, and closes the database. */
  endStreams(): void;
  close(): Promise<void>;
}

const DAY_MS = 86_400_000;
const SWEEP_INTERVAL_MS = 3_600_000;
const BUSY_RETRY_SECONDS = 1;
const DEFAULT_PAGE_ROWS = 500;

/**
 * A server of wire protocol v1 as a function from request to response, to be mounted anywhere. It looks
 * at the end of the path only, so a prefix of your own is fine.
 */
export function createReceiver(options: ReceiverOptions): Receiver {
  const handler = new ReceiverHandler(options);
  const receive = (request: Request): Promise<Response> => handler.handle(request);
  return Object.defineProperties(receive, {
    sweep: { value: () => handler.sweep() },
    arrivals: {
      value: (principal: string, after = 0, limit = 1_000_000) =>
        handler.store.arrivals(principal, after, limit),
    },
    streams: { get: () => handler.hub.size },
    endStreams: { value: () => handler.hub.close() },
    close: { value: () => handler.close() },
  }) as Receiver;
}

/** A refusal of the whole request. */
class Refusal extends Error {
  readonly problem: WireProblem;
  readonly headers: Readonly<Record<string, string>>;

  constructor(what: WireProblem, headers: Readonly<Record<string, string>> = {}) {
    super(what.title);
    this.problem = what;
    this.headers = headers;
  }
}

class ReceiverHandler {
  readonly store: ReceiverStore;
  readonly hub: EventHub;
  readonly #options: ReceiverOptions;
  readonly #limits: ReceiverLimits;
  readonly #principalOf: PrincipalOf;
  readonly #commands: ReadonlyMap<string, CommandHandler>;
  #sweptAt = -Infinity;

  constructor(options: ReceiverOptions) {
    if (typeof options?.database !== 'object' || options.database === null) {
      throw new TypeError('database must be an open SQLite connection, or { store }');
    }
    this.#principalOf = principalOf(options.authenticate);
    this.#limits = limitsOf(options.limits);
    const { database } = options;
    this.store = 'store' in database ? database.store : new SqliteReceiverStore(database, options);
    this.#options = options;
    this.#commands = new Map(Object.entries({ increment, ...options.commands }));
    this.hub = new EventHub({
      ...this.#limits,
      heartbeatMs: options.heartbeatMs ?? 25_000,
      streamLifetimeMs: options.streamLifetimeMs ?? 3_600_000,
    });
  }

  async handle(request: Request): Promise<Response> {
    try {
      return await this.#route(request);
    } catch (error) {
      const refusal = this.#refusalOf(error);
      return problemResponse(refusal.problem, { ...this.#headers(), ...refusal.headers });
    }
  }

  async sweep(): Promise<void> {
    const now = this.#now();
    this.#sweptAt = now;
    await this.store.sweep({
      operations: now - (this.#options.keyRetentionMs ?? 30 * DAY_MS),
      tombstones: now - (this.#options.tombstoneRetentionMs ?? 90 * DAY_MS),
    });
  }

  async close(): Promise<void> {
    this.hub.close();
    await this.store.close();
  }

  async #route(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const { push, pull, events } = PROTOCOL_PATHS;
    if (url.pathname.endsWith(push)) return this.#push(await this.#admit(request, 'POST'), request);
    if (url.pathname.endsWith(pull)) {
      return this.#pull(await this.#admit(request, 'GET'), url.searchParams);
    }
    if (url.pathname.endsWith(events)) return this.#events(await this.#admit(request, 'GET'));
    throw new Refusal(problem(ProblemType.notFound));
  }

  /** The principal of a request that may go on. */
  async #admit(request: Request, method: 'GET' | 'POST'): Promise<string> {
    if (request.method !== method) {
      throw new Refusal(problem(ProblemType.methodNotAllowed), { allow: method });
    }
    const principal = await this.#principalOf(request);
    if (principal === null) {
      const invalid = request.headers.has('authorization') ? ', error="invalid_token"' : '';
      const challenge = `Bearer realm="nexus-store"${invalid}`;
      throw new Refusal(problem(ProblemType.unauthorised), { 'www-authenticate': challenge });
    }
    const seconds = this.#options.throttle?.(principal, request);
    if (seconds !== undefined) {
      throw new Refusal(problem(ProblemType.throttled), { 'retry-after': String(seconds) });
    }
    return principal;
  }

  async #push(principal: string, request: Request): Promise<Response> {
    requireJson(request);
    const items = this.#parse(await this.#body(request));
    const at = this.#now();
    const rules = this.#rules(principal);
    let results: readonly string[] = [];
    let changed: ReadonlySet<string> = new Set();
    await this.store.apply(principal, wantedBy(items), (loaded) => {
      const decision = decide(items, loaded, rules, at);
      results = decision.results;
      changed = new Set(decision.writes.rows.map((row) => row.collection));
      return decision.writes;
    });
    this.hub.notify(principal, changed);
    if (at - this.#sweptAt >= SWEEP_INTERVAL_MS) await this.#sweepQuietly();
    return this.#json(`{"protocol":${PROTOCOL_VERSION},"results":[${results.join(',')}]}`);
  }

  async #body(request: Request): Promise<string> {
    const { maxBodyBytes } = this.#limits;
    let text: string | undefined;
    try {
      text = await boundedBody(request, maxBodyBytes);
    } catch (error) {
      if (error instanceof TypeError) throw malformed('the body is not UTF-8');
      throw error;
    }
    if (text !== undefined) return text;
    throw new Refusal(problem(ProblemType.tooLarge, `a body has at most ${maxBodyBytes} bytes`));
  }

  #parse(text: string): readonly (ReceivedOperation | InvalidOperation)[] {
    const { operations } = pushRequest(text);
    const { maxOperations } = this.#limits;
    if (operations.length > maxOperations) {
      const detail = `a request has at most ${maxOperations} operations`;
      throw new Refusal(problem(ProblemType.tooManyOperations, detail));
    }
    const suspicion = suspicionOf(text, this.#limits);
    const items = operations.map((json) => receivedOperation(json, this.#limits, suspicion));
    const ids = new Set<string>();
    for (const item of items) {
      if (item === undefined) throw malformed('an operation has no id');
      if (ids.has(item.id)) throw malformed('two operations have the same id');
      ids.add(item.id);
    }
    return wholeGroups(items as (ReceivedOperation | InvalidOperation)[]);
  }

  #rules(principal: string): Rules {
    return {
      principal,
      commands: this.#commands,
      maxValueBytes: this.#limits.maxValueBytes,
      maxAnswerBytes: this.#limits.maxAnswerBytes,
      onError: (error) => this.#options.onError?.(error),
      forbids: (operation) => this.#options.forbids?.(operation, principal),
    };
  }

  async #pull(principal: string, query: URLSearchParams): Promise<Response> {
    const collection = query.get('collection') ?? '';
    const limit = Number(query.get('limit') ?? DEFAULT_PAGE_ROWS);
    if (collection === '') throw malformed('which collection?');
    if (!Number.isSafeInteger(limit) || limit < 1)
      throw malformed('limit must be a positive number');
    const page = await this.store.pull({
      principal,
      collection,
      cursor: query.get('cursor'),
      limit: Math.min(limit, this.#limits.maxPageRows),
      maxBytes: this.#limits.maxPageBytes,
    });
    if (page.kind === 'invalid') throw new Refusal(problem(ProblemType.cursorInvalid));
    if (page.kind === 'expired') throw new Refusal(problem(ProblemType.cursorExpired));
    const rows = page.rows.filter((row) => row.value !== null).map(rowJson);
    const tombstones = page.rows.filter((row) => row.value === null).map(rowJson);
    return this.#json(
      `{"protocol":${PROTOCOL_VERSION},"rows":[${rows.join(',')}],"tombstones":[${tombstones.join(',')}]` +
        `,"cursor":"${page.cursor}","more":${page.hasMore}}`,
    );
  }

  #events(principal: string): Response {
    const body = this.hub.subscribe(principal);
    if (body === undefined) {
      throw new Refusal(problem(ProblemType.busy, 'too many event streams'), {
        'retry-after': '60',
      });
    }
    return new Response(body, {
      headers: {
        ...this.#headers(),
        'content-type': EVENTS_CONTENT_TYPE,
        'x-accel-buffering': 'no',
      },
    });
  }

  #json(body: string): Response {
    return new Response(body, {
      headers: { ...this.#headers(), 'content-type': PROTOCOL_CONTENT_TYPE },
    });
  }

  #headers(): Record<string, string> {
    const { syncIntervalSeconds } = this.#options;
    return {
      'cache-control': 'no-store',
      date: new Date(this.#now()).toUTCString(),
      ...(syncIntervalSeconds !== undefined && { 'sync-interval': String(syncIntervalSeconds) }),
    };
  }

  #refusalOf(error: unknown): Refusal {
    if (error instanceof Refusal) return error;
    this.#options.onError?.(error);
    if (!(error instanceof StoreFailure)) return new Refusal(problem(ProblemType.internal));
    if (error.kind === 'full') return new Refusal(problem(ProblemType.internal, 'no space', 507));
    if (error.kind !== 'busy') return new Refusal(problem(ProblemType.internal));
    return new Refusal(problem(ProblemType.busy), { 'retry-after': String(BUSY_RETRY_SECONDS) });
  }

  /** A push that was applied is acknowledged, whatever becomes of the housekeeping. */
  async #sweepQuietly(): Promise<void> {
    try {
      await this.sweep();
    } catch (error) {
      this.#options.onError?.(error);
    }
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }
}

function malformed(detail: string): Refusal {
  return new Refusal(problem(ProblemType.malformed, detail));
}

function requireJson(request: Request): void {
  const type = (request.headers.get('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase();
  const encoding = request.headers.get('content-encoding') ?? 'identity';
  const isJson = type === PROTOCOL_CONTENT_TYPE || type === 'application/json';
  if (isJson && encoding === 'identity') return;
  const accepted = { 'accept-post': `${PROTOCOL_CONTENT_TYPE}, application/json` };
  throw new Refusal(problem(ProblemType.unsupportedMediaType), accepted);
}

function pushRequest(text: string): { readonly operations: readonly unknown[] } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw malformed('the body is not JSON');
  }
  if (typeof json !== 'object' || json === null) throw malformed('the body is not an object');
  const { protocol, operations } = json as { protocol?: unknown; operations?: unknown };
  if (protocol !== PROTOCOL_VERSION) {
    const upgrade = { upgrade: `nexus-store/${PROTOCOL_VERSION}` };
    throw new Refusal(problem(ProblemType.upgradeRequired), upgrade);
  }
  if (!Array.isArray(operations)) throw malformed('operations must be a list');
  return { operations };
}

/** Operations of one group stand together: else an operation between them would have to move. */
function wholeGroups(
  items: readonly (ReceivedOperation | InvalidOperation)[],
): readonly (ReceivedOperation | InvalidOperation)[] {
  const split = new Set<string>();
  const ended = new Set<string>();
  let previous: string | null = null;
  for (const { group } of items) {
    if (group !== null && group !== previous && ended.has(group)) split.add(group);
    if (previous !== null && previous !== group) ended.add(previous);
    previous = group;
  }
  if (split.size === 0) return items;
  const invalid = problem(
    ProblemType.malformed,
    'the operations of a group must stand together',
    422,
  );
  return items.map((item) =>
    item.group !== null && split.has(item.group)
      ? { id: item.id, group: null, ref: refOf(item), invalid }
      : item,
  );
}

function wantedBy(items: readonly (ReceivedOperation | InvalidOperation)[]): Wanted {
  const valid = items.filter((item) => item.invalid === undefined);
  return { keys: valid.map((item) => item.key), refs: valid };
}

function rowJson(row: ChangedRow): string {
  const value = row.value === null ? '' : `,"value":${row.value}`;
  const operationId = JSON.stringify(row.operationId);
  return `{"id":${row.entity},"version":"${row.change}"${value},"operationId":${operationId}}`;
}
