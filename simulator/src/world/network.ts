import { ProblemType, PROTOCOL_CONTENT_TYPE, type Fetch } from 'nexus-store/http';
import type { WireOperation, WirePushRequest } from 'nexus-store/http';
import type { SeededRandom, VirtualRuntime } from 'nexus-store/testing';
import type { WeatherKind, WorldSettings } from '../plan/operations.ts';
import { simulatedResponse } from './response.ts';
import { EVENTS, Streams } from './streams.ts';
import { problemAnswer, type Answer, type ModelServer } from './server.ts';

/** One request from one context, as it travels. */
export interface Flight {
  readonly number: number;
  readonly context: NetworkClient;
  readonly kind: 'push' | 'pull' | 'events';
  readonly url: URL;
  readonly token: string;
  readonly operations: readonly WireOperation[];
  /** It reached the server, was refused on its way, or will do neither. */
  hasArrived: boolean;
  /** The client waits no longer. */
  isOver: boolean;
}

/** A context as the network sees it. */
export interface NetworkClient {
  readonly name: string;
  readonly isAlive: boolean;
  /** Runs in the context's own time: late if it is frozen, never once it is dead. */
  after(ms: number, callback: () => void): void;
}

export interface NetworkWitness {
  onSend(flight: Flight): void;
  /** The answer reached the context. */
  onAnswer(flight: Flight, answer: Answer): void;
  onEnd(flight: Flight): void;
  trace(line: string): void;
}

interface Weather {
  readonly kind: WeatherKind;
  readonly strength: number;
  readonly until: number;
}

/** What becomes of one request. */
type Fate =
  | { readonly end: 'unreachable' }
  | { readonly end: 'lost'; readonly isNoticed: boolean }
  | { readonly end: 'answer-lost'; readonly isNoticed: boolean }
  | { readonly end: 'cut' }
  | { readonly end: 'refused'; readonly answer: Answer; readonly isApplied: boolean }
  | { readonly end: 'answered'; readonly isDoubled: boolean };

interface Route {
  readonly fate: Fate;
  readonly thereMs: number;
  readonly backMs: number;
}

/** Carries requests from contexts to the server, as badly as the weather says. */
export class Network {
  readonly #runtime: VirtualRuntime;
  readonly #server: ModelServer;
  readonly #witness: NetworkWitness;
  readonly #random: SeededRandom;
  readonly #weather: Weather[] = [];
  /** Requests on their way, oldest first. */
  readonly #travelling = new Map<Flight, () => void>();
  readonly #streams: Streams;
  readonly #poison: WorldSettings['poison'];
  #number = 0;
  /** The oldest credentials that are still accepted. */
  #generation = 1;

  constructor(
    runtime: VirtualRuntime,
    server: ModelServer,
    random: SeededRandom,
    witness: NetworkWitness,
    poison: WorldSettings['poison'],
  ) {
    this.#poison = poison;
    this.#runtime = runtime;
    this.#server = server;
    this.#random = random;
    this.#witness = witness;
    this.#streams = new Streams(random);
  }

  addWeather(kind: WeatherKind, ms: number, strength: number): void {
    this.#weather.push({ kind, strength, until: this.#runtime.clock.elapsed() + ms });
    if (kind === 'offline') this.#streams.loseAll(0.7);
  }

  /** From now on nothing goes wrong, but with a poisoned write. */
  heal(): void {
    this.#weather.length = 0;
    this.#isHealed = true;
  }

  /** Something of a user changed on the server: who listens hears of it, unless it is lost. */
  hint(principal: string, collection: string): void {
    const isLost = !this.#isHealed && (this.#strikes('offline') || this.#random.chance(0.1));
    if (!isLost) this.#streams.send(principal, collection, 5 + this.#random.integer(120));
  }

  #isHealed = false;

  expireTokens(): void {
    this.#generation += 1;
  }

  /** New credentials, as the app's own sign-in service gives them. */
  freshToken(principal: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#runtime.timers.after(20 + this.#random.integer(300), () => {
        if (this.#strikes('offline')) reject(new TypeError('fetch failed'));
        else resolve(`${principal}.${this.#generation}`);
      });
    });
  }

  /** The `fetch` of one context. */
  fetchOf(context: NetworkClient): Fetch {
    return (url, init) => {
      this.#number += 1;
      const headers = init.headers as Readonly<Record<string, string>>;
      const flight: Flight = {
        number: this.#number,
        context,
        kind: init.method === 'POST' ? 'push' : url.endsWith('/events') ? 'events' : 'pull',
        url: new URL(url),
        token: headers['authorization']?.replace('Bearer ', '') ?? '',
        operations:
          typeof init.body === 'string'
            ? (JSON.parse(init.body) as WirePushRequest).operations
            : [],
        hasArrived: false,
        isOver: false,
      };
      return this.#travel(flight, init.signal ?? undefined);
    };
  }

  #travel(flight: Flight, signal: AbortSignal | undefined): Promise<Response> {
    this.#witness.onSend(flight);
    const route = this.#route(flight);
    this.#witness.trace(
      `#${flight.number} ${flight.context.name} ${flight.kind} ${describe(flight)} -> ${route.fate.end}`,
    );
    return new Promise<Response>((resolve, reject) => {
      const end = (settle: () => void): void => {
        if (flight.isOver || !flight.context.isAlive) return;
        flight.isOver = true;
        this.#witness.onEnd(flight);
        settle();
      };
      const fail = (text: string, code: string): void =>
        end(() => reject(Object.assign(new TypeError(text), { cause: { code } })));
      const onAbort = (): void => {
        end(() => reject(new DOMException('aborted', 'AbortError')));
        // Bytes that left may still arrive.
        if (!flight.hasArrived && this.#random.chance(0.5)) this.#drop(flight);
      };
      if (signal?.aborted === true) {
        this.#drop(flight);
        onAbort();
        return;
      }
      signal?.addEventListener('abort', onAbort, { once: true });
      const { fate, thereMs, backMs } = route;
      if (fate.end === 'unreachable' || fate.end === 'lost') {
        this.#drop(flight);
        if (fate.end === 'unreachable') {
          flight.context.after(thereMs, () => fail('fetch failed', 'ENOTFOUND'));
        } else if (fate.isNoticed) {
          flight.context.after(thereMs, () => fail('fetch failed', 'ECONNRESET'));
        }
        return;
      }
      const arrive = (): void => {
        const answer = this.#arrive(flight, fate);
        if (fate.end === 'answer-lost') {
          if (fate.isNoticed)
            flight.context.after(backMs, () => fail('other side closed', 'UND_ERR'));
          return;
        }
        flight.context.after(backMs, () =>
          end(() => {
            const isCut = fate.end === 'cut';
            // The head of an answer came, whatever became of its body.
            this.#witness.onAnswer(flight, answer);
            this.#witness.trace(`#${flight.number} <- ${answer.status}${isCut ? ' cut' : ''}`);
            const isStream = flight.kind === 'events' && answer.status === 200 && !isCut;
            resolve(
              isStream && answer.headers['content-type'] === EVENTS
                ? this.#streams.open(flight, signal)
                : simulatedResponse(answer, isCut, this.#random),
            );
          }),
        );
      };
      this.#travelling.set(flight, arrive);
      this.#runtime.timers.after(thereMs, () => this.#deliver(flight));
    });
  }

  #drop(flight: Flight): void {
    flight.hasArrived = true;
    this.#travelling.delete(flight);
  }

  /**
   * The request reaches the other side. A network may delay a request, but one that carries the same
   * operation later does not overtake it: bytes that were given up for lost for good do not come back.
   */
  #deliver(flight: Flight): void {
    const arrive = this.#travelling.get(flight);
    if (arrive === undefined || flight.hasArrived) return;
    const keys = new Set(flight.operations.map(({ idempotencyKey }) => idempotencyKey));
    for (const older of [...this.#travelling.keys()]) {
      if (older === flight) break;
      if (!older.operations.some(({ idempotencyKey }) => keys.has(idempotencyKey))) continue;
      if (this.#random.chance(0.5)) this.#drop(older);
      else this.#deliver(older);
    }
    this.#drop(flight);
    arrive();
  }

  #arrive(flight: Flight, fate: Fate): Answer {
    if (fate.end === 'refused' && !fate.isApplied) return fate.answer;
    const answer = this.#serve(flight);
    if (fate.end === 'refused') return fate.answer;
    const isDoubled = fate.end === 'answered' && fate.isDoubled;
    // A copy of a request that was refused would be refused as well; one of an applied request is
    // recognised by its keys.
    if (isDoubled && flight.kind === 'push' && isAllApplied(answer)) {
      this.#runtime.timers.after(this.#random.integer(5_000), () => {
        this.#witness.trace(`#${flight.number} arrives again`);
        this.#serve(flight);
      });
    }
    return answer;
  }

  #serve(flight: Flight): Answer {
    const [principal = '', generation] = flight.token.split('.');
    if (Number(generation) < this.#generation || principal === '') {
      return problemAnswer(401, ProblemType.unauthorised, { 'www-authenticate': 'Bearer' });
    }
    if (flight.kind === 'push') return this.#server.push(principal, flight.operations);
    if (flight.kind === 'events')
      return { status: 200, headers: { 'content-type': EVENTS }, body: ': connected\n\n' };
    const query = flight.url.searchParams;
    return this.#server.pull(
      principal,
      query.get('collection') ?? '',
      Number(query.get('limit')),
      query.get('cursor'),
    );
  }

  #strikes(kind: WeatherKind): boolean {
    const now = this.#runtime.clock.elapsed();
    const strength = this.#weather
      .filter((weather) => weather.kind === kind && weather.until > now)
      .reduce((best, weather) => Math.max(best, weather.strength), 0);
    return strength > 0 && this.#random.chance(strength);
  }

  #route(flight: Flight): Route {
    const random = this.#random;
    let thereMs = 5 + random.integer(120);
    let backMs = 5 + random.integer(120);
    if (this.#strikes('slow')) {
      thereMs += Math.floor(random.exponential(6_000));
      backMs += Math.floor(random.exponential(6_000));
    }
    const fate =
      this.#poisoned(flight) ??
      (this.#isHealed ? ({ end: 'answered', isDoubled: false } as const) : this.#fate(flight));
    return { fate, thereMs, backMs };
  }

  /** What becomes of a request with the poisoned write. */
  #poisoned({ operations }: Flight): Fate | undefined {
    const poison = this.#poison;
    if (poison === undefined || !operations.some(({ payload }) => carries(payload, poison.token)))
      return undefined;
    switch (poison.breaks) {
      case 'gateway':
        return { end: 'refused', answer: plain(504), isApplied: this.#random.chance(0.3) };
      case 'silence':
        return { end: 'lost', isNoticed: this.#random.chance(0.5) };
      case 'page':
        return { end: 'refused', answer: portal(this.#random), isApplied: false };
    }
  }

  #fate(flight: Flight): Fate {
    const random = this.#random;
    const isNoticed = random.chance(0.6);
    if (this.#strikes('offline')) return { end: 'unreachable' };
    // Nobody waits for the answer of a stream, so that a lost one is easily missed.
    if (flight.kind === 'events' && random.chance(0.06)) return { end: 'lost', isNoticed: false };
    if (this.#strikes('lossy') || random.chance(0.02)) {
      return random.pick([
        { end: 'lost', isNoticed },
        { end: 'answer-lost', isNoticed },
        { end: 'answer-lost', isNoticed },
        { end: 'cut' },
      ] as const);
    }
    const answer = this.#refusal(flight);
    if (answer !== undefined) {
      // What a gateway or a failing server says need not be what happened behind it.
      const isDefinite = answer.status === 501 || answer.body.includes('busy');
      const mayBeApplied = answer.status >= 500 && !isDefinite;
      return { end: 'refused', answer, isApplied: mayBeApplied && random.chance(0.5) };
    }
    return { end: 'answered', isDoubled: this.#strikes('doubled') };
  }

  #refusal(flight: Flight): Answer | undefined {
    const random = this.#random;
    if (this.#strikes('portal')) return portal(random);
    if (this.#strikes('throttled')) return this.#throttle();
    if (this.#strikes('broken')) return plain(random.pick([502, 503, 504, 408]));
    if (this.#strikes('failing')) {
      return problemAnswer(random.pick([500, 500, 507]), ProblemType.internal);
    }
    if (this.#strikes('unauthorised')) return problemAnswer(401, ProblemType.unauthorised);
    if (this.#strikes('forbidden')) return forbidding(random, flight);
    if (this.#strikes('outdated')) return problemAnswer(426, ProblemType.upgradeRequired);
    if (flight.operations.length > 2 && this.#strikes('too-large')) {
      return problemAnswer(413, ProblemType.tooManyOperations);
    }
    return undefined;
  }

  #throttle(): Answer {
    const random = this.#random;
    const seconds = random.pick([1, 5, 30, 120, 1_800]);
    const form = random.integer(4);
    const serverNow = this.#runtime.clock.now() + 3_600_000; // the device's clock is wrong
    const headers: Record<string, string> =
      form === 0
        ? {}
        : form === 1
          ? {
              date: new Date(serverNow).toUTCString(),
              'retry-after': new Date(serverNow + seconds * 1_000).toUTCString(),
            }
          : { 'retry-after': String(seconds) };
    return random.chance(0.7)
      ? problemAnswer(429, ProblemType.throttled, headers)
      : problemAnswer(503, ProblemType.busy, headers);
  }
}

function portal(random: SeededRandom): Answer {
  const page = '<html><title>Welcome to the train</title></html>';
  const html = { 'content-type': 'text/html' };
  return random.pick([
    { status: 200, headers: html, body: page },
    { status: 302, headers: { ...html, location: 'http://portal.example/' }, body: '' },
    { status: 200, headers: { 'content-type': 'application/json' }, body: '{"ok":true}' },
    { status: 200, headers: { 'content-type': PROTOCOL_CONTENT_TYPE }, body: '{"protocol":1}' },
  ]);
}

/** Of our server, of a framework where nobody takes pushes, of a proxy. */
function forbidding(random: SeededRandom, { kind }: Flight): Answer {
  // With 405 and 501 a server says that it has no stream, for good.
  if (kind === 'events') return problemAnswer(403, ProblemType.forbidden);
  const json = { 'content-type': 'application/json' };
  const page = { 'content-type': 'text/html' };
  return random.pick([
    problemAnswer(403, ProblemType.forbidden),
    problemAnswer(403, ProblemType.forbidden),
    plain(random.pick([400, 403, 405, 422])),
    { status: 405, headers: json, body: '{"detail":"Method Not Allowed"}' },
    { status: 501, headers: {}, body: '' },
    { status: 403, headers: page, body: '<html><title>Blocked</title></html>' },
  ]);
}

function plain(status: number): Answer {
  return { status, headers: { 'content-type': 'text/plain' }, body: `error ${status}` };
}

/** True if the payload is that of a write, or of several that became one. */
function carries(payload: unknown, token: number): boolean {
  if (typeof payload !== 'object' || payload === null) return false;
  const { token: own, tokens } = payload as { token?: unknown; tokens?: readonly unknown[] };
  return own === token || tokens?.includes(token) === true;
}

function isAllApplied(answer: Answer): boolean {
  if (answer.status !== 200) return false;
  const { results } = JSON.parse(answer.body) as { results: readonly { status: string }[] };
  return results.every(({ status }) => status === 'applied');
}

function describe(flight: Flight): string {
  if (flight.kind === 'pull') return flight.url.search;
  return flight.operations
    .map(
      ({ id, operation, collection, entityId }) => `${id}:${operation} ${collection}/${entityId}`,
    )
    .join(', ');
}
