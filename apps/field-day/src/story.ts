import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SyncPriority } from 'nexus-store';
import { Child } from './child.ts';
import { Deferred } from './deferred.ts';
import type {
  AppMessage,
  ArrivedReport,
  DrainMessage,
  ServerMessage,
  WriterMessage,
} from './messages.ts';
import { INSPECTORS } from './phone.ts';
import { PushLog } from './push-log.ts';
import { priorityOf, type Report } from './reports.ts';
import type { Screen } from './screen.ts';
import { emptyTally, total, type Tally } from './tally.ts';

/** Where the kills fall. */
const WRITER_DIES_AT = 0.45;
const DRAIN_DIES_AT = 0.3;
const STEP_LIMIT_MS = 45_000;
/** Another app: started as people would, never imported. */
const APP_SERVER = '../../field-notes/server/main';

const number = new Intl.NumberFormat('en-US');

/** What is known of one drain. */
export interface Drain {
  readonly log: PushLog;
  /** The last arrival at the server before it began. */
  readonly arrivalBefore: number;
}

/** What happened, for the table and the checks. */
export interface Outcome {
  readonly acknowledgedBeforeKill: number;
  readonly foundAfterKill: number;
  readonly lostAtKill: number;
  readonly writingMs: number;
  readonly failedAttempts: number;
  readonly killedAtMs: readonly [writer: number, drain: number];
  readonly serverUpAt: number;
  readonly drainMs: number;
  /** Sent by the killed drain, and applied although nobody heard. */
  readonly unheard: number;
  readonly requestsCut: number;
  readonly drains: readonly Drain[];
  readonly arrivals: readonly ArrivedReport[];
  readonly dead: number;
  readonly remaining: number;
}

/** A day in the field, with real processes that are really killed. */
export class Story {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'nexus-store-field-day-'));
  readonly input: ReadonlyMap<string, Report>;
  readonly of: Tally = emptyTally();
  readonly #screen: Screen;
  readonly #children = new Set<Child<never>>();
  readonly #database = join(this.folder, 'phone.db');
  readonly #acknowledged = new Set<string>();
  readonly #waiting: Tally = emptyTally();
  readonly #atServer: Tally = emptyTally();
  readonly arrivals: ArrivedReport[] = [];
  #server: Child<ServerMessage> | undefined;
  #onArrived: () => void = () => {};
  url = '';

  constructor(screen: Screen, reports: readonly Report[]) {
    this.#screen = screen;
    this.input = new Map(reports.map((report) => [report.id, report]));
    for (const report of reports) this.of[priorityOf(report)] += 1;
  }

  get phoneDatabase(): string {
    return this.#database;
  }

  async tell(): Promise<Outcome> {
    const port = await freePort();
    const writing = await this.#write(`http://127.0.0.1:${port}`);
    const serverUpAt = await this.#openServer(port);
    const drainStartedAt = performance.now();
    const first = await this.#drainAndKill();
    const second = await this.#drainToTheEnd();
    const drainMs = performance.now() - drainStartedAt;
    await this.#flushServer();
    return {
      ...writing,
      killedAtMs: [writing.killedAtMs, first.killedAtMs],
      serverUpAt,
      drainMs,
      unheard: first.unheard,
      requestsCut: first.requestsCut,
      drains: [first.drain, second.drain],
      arrivals: this.arrivals,
      dead: second.dead,
      remaining: second.remaining,
    };
  }

  /**
   * Serves the app for people over the same database, in a process of its own, and resolves with its
   * address. Builds the app first, if need be.
   */
  async serveApp(): Promise<string> {
    const listening = new Deferred<string>();
    const app = new Child<AppMessage>(
      APP_SERVER,
      [`--database=${join(this.folder, 'server.db')}`],
      ({ url }) => listening.resolve(url),
    );
    this.#children.add(app as Child<never>);
    const ended = app.ended.then(() => {
      throw new Error('the app ended by itself');
    });
    return this.#inTime('starting the app', Promise.race([listening.promise, ended]));
  }

  /** Ends every process and removes the folder. */
  async end(): Promise<void> {
    await Promise.all([...this.#children].map((child) => child.kill()));
    this.#children.clear();
    rmSync(this.folder, { recursive: true, force: true });
  }

  // ---- writing ------------------------------------------------------------------------------------

  async #write(url: string) {
    this.#screen.say(`${INSPECTORS} inspectors begin to write; the server cannot be reached`);
    const startedAt = performance.now();
    let failedAttempts = 0;
    const countFailure = (): void => {
      failedAttempts += 1;
    };
    const killAt = Math.floor(this.input.size * WRITER_DIES_AT);
    await this.#runWriter(url, countFailure, killAt);
    const firstMs = performance.now() - startedAt;
    const killedAtMs = this.#screen.elapsedMs;
    const acknowledgedBeforeKill = this.#acknowledged.size;
    this.#screen.say(
      `SIGKILL for the app, in the middle of writing, after ${number.format(acknowledgedBeforeKill)} saves`,
    );
    const restartedAt = performance.now();
    let foundAfterKill = 0;
    await this.#runWriter(url, countFailure, undefined, (count) => {
      foundAfterKill = count;
      const lost = Math.max(0, acknowledgedBeforeKill - count);
      this.#screen.say(
        `started again: the database has ${number.format(count)} reports, ${lost === 0 ? 'none is lost' : `${lost} ARE LOST`}; on from there`,
      );
    });
    const writingMs = firstMs + (performance.now() - restartedAt);
    this.#screen.clear();
    this.#screen.say(
      `all ${number.format(this.#acknowledged.size)} reports are on the phone, safe and in the queue`,
    );
    const lostAtKill = Math.max(0, acknowledgedBeforeKill - foundAfterKill);
    return {
      acknowledgedBeforeKill,
      foundAfterKill,
      lostAtKill,
      writingMs,
      failedAttempts,
      killedAtMs,
    };
  }

  /** Runs until all is written, or until so many saves are acknowledged, and then kills. */
  async #runWriter(
    url: string,
    onFailedAttempt: () => void,
    killAt: number | undefined,
    onFound: (count: number) => void = () => {},
  ): Promise<void> {
    const rate = new Rate();
    const reached = new Deferred<void>();
    const child = this.#start<WriterMessage>('writer', [this.#database, url], (message) => {
      if (message.type === 'found') onFound(message.count);
      if (message.type === 'failed-attempt') onFailedAttempt();
      if (message.type !== 'saved') return;
      for (const id of message.ids) this.#acknowledge(id);
      rate.add(message.ids.length);
      this.#show('writing, no network', rate.perSecond);
      if (killAt !== undefined && this.#acknowledged.size >= killAt) reached.resolve();
    });
    if (killAt === undefined) {
      await this.#inTime('writing', child.ended);
    } else {
      await this.#inTime('writing', Promise.race([reached.promise, child.ended]));
      await child.kill();
    }
    this.#children.delete(child as Child<never>);
  }

  #acknowledge(id: string): void {
    if (this.#acknowledged.has(id)) return;
    this.#acknowledged.add(id);
    this.#waiting[this.priorityOf(id)] += 1;
  }

  // ---- the server ---------------------------------------------------------------------------------

  async #openServer(port: number): Promise<number> {
    const listening = new Deferred<string>();
    this.#server = this.#start<ServerMessage>('server', [String(port)], (message) => {
      if (message.type === 'listening') listening.resolve(message.url);
      if (message.type === 'arrived') this.#arrive(message.reports);
      if (message.type === 'flushed') this.#onArrived();
    });
    this.url = await this.#inTime(
      'starting the server',
      Promise.race([listening.promise, this.#server.ended.then(() => '')]),
    );
    this.#screen.say(`the network is back: the server answers at ${this.url}`);
    return Date.now();
  }

  #arrive(reports: readonly ArrivedReport[]): void {
    for (const report of reports) {
      this.arrivals.push(report);
      this.#atServer[this.priorityOf(report.reportId)] += 1;
    }
  }

  /** Everything the server has applied is known here once this resolves. */
  async #flushServer(): Promise<void> {
    const flushed = new Promise<void>((resolve) => {
      this.#onArrived = resolve;
    });
    this.#server?.send('flush');
    await this.#inTime('asking the server', flushed);
  }

  // ---- sending ------------------------------------------------------------------------------------

  async #drainAndKill() {
    this.#screen.say('the app sends what waits, the most urgent first');
    const killAt = Math.floor(this.input.size * DRAIN_DIES_AT);
    const reached = new Deferred<void>();
    const { child, drain } = await this.#startDrain((log, message) => {
      if (message.type === 'started' && log.applied >= killAt) reached.resolve();
    });
    await this.#inTime('sending', Promise.race([reached.promise, child.ended]));
    const { log } = drain();
    await child.kill();
    const killedAtMs = this.#screen.elapsedMs;
    this.#children.delete(child as Child<never>);
    const cut = log.inFlight();
    const requestsCut = log.requestsInFlight;
    // What is on the wire still reaches the server, though nobody hears the answer.
    await sleep(150);
    await this.#flushServer();
    const arrived = new Set(this.arrivals.map(({ reportId }) => reportId));
    const unheard = cut.filter((id) => arrived.has(id)).length;
    this.#screen.say(
      `SIGKILL for the app again, with ${requestsCut} requests under way; the server applied ${unheard} reports that nobody heard of`,
    );
    return { drain: drain(), killedAtMs, unheard, requestsCut };
  }

  async #drainToTheEnd() {
    let end = { dead: 0, remaining: 0 };
    let hasTakenOver = false;
    const { child, drain } = await this.#startDrain((log, message) => {
      if (!hasTakenOver && message.type === 'started' && log.takenOver > 0) {
        hasTakenOver = true;
        this.#screen.say(
          `the killed app's lease is over: its ${log.leased.size} reports go again, under their old keys`,
        );
      }
      if (message.type === 'waiting') {
        const seconds = Math.max(0, (message.until - Date.now()) / 1_000).toFixed(1);
        this.#screen.say(
          `${message.remaining} reports are under the killed app's lease; waiting ${seconds} s for it to end`,
        );
      }
      if (message.type !== 'done') return;
      end = { dead: message.dead, remaining: message.report.remaining };
    });
    await this.#inTime('sending', child.ended);
    this.#children.delete(child as Child<never>);
    this.#screen.clear();
    this.#screen.say(
      end.remaining === 0
        ? 'everything is sent; the queue is empty'
        : `${end.remaining} reports could not be sent`,
    );
    return { drain: drain(), ...end };
  }

  async #startDrain(onMessage: (log: PushLog, message: DrainMessage) => void) {
    const arrivalBefore = this.arrivals.at(-1)?.arrival ?? 0;
    const rate = new Rate();
    let log: PushLog | undefined;
    const child = this.#start<DrainMessage>('drain', [this.#database, this.url], (message) => {
      if (message.type === 'queue') {
        log = new PushLog(message.entries, (id) => this.priorityOf(id));
        this.#recount(message.entries.map(({ reportId }) => reportId));
        if (arrivalBefore > 0) {
          this.#screen.say(
            `started again: ${number.format(message.entries.length)} reports left, ${log.leased.size} of them under the killed app's lease`,
          );
        }
      }
      if (log === undefined) return;
      if (message.type === 'started') log.started(message.entryIds);
      if (message.type === 'applied') {
        for (const id of log.appliedEntries(message.entryIds))
          this.#waiting[this.priorityOf(id)] -= 1;
        rate.add(message.entryIds.length);
      }
      this.#show('sending by priority', rate.perSecond);
      onMessage(log, message);
    });
    const drain = (): Drain => {
      if (log === undefined) throw new Error('the app did not come as far as its queue');
      return { log, arrivalBefore };
    };
    return { child, drain };
  }

  #recount(queued: readonly string[]): void {
    Object.assign(this.#waiting, emptyTally());
    for (const id of queued) this.#waiting[this.priorityOf(id)] += 1;
  }

  // ---- all ----------------------------------------------------------------------------------------

  priorityOf(id: string): SyncPriority {
    const report = this.input.get(id);
    return report === undefined ? 'low' : priorityOf(report);
  }

  #show(doing: string, rate: number): void {
    this.#screen.show({
      of: this.of,
      waiting: this.#waiting,
      arrived: this.#atServer,
      doing,
      rate: total(this.#waiting) === 0 ? null : rate,
    });
  }

  #start<Message>(
    name: string,
    args: readonly string[],
    onMessage: (message: Message) => void,
  ): Child<Message> {
    const child = new Child<Message>(name, [this.folder, ...args], onMessage);
    this.#children.add(child as Child<never>);
    return child;
  }

  async #inTime<T>(what: string, step: Promise<T>): Promise<T> {
    const stop = new AbortController();
    const late = sleep(STEP_LIMIT_MS, undefined, { signal: stop.signal }).then(() => {
      throw new Error(`${what} took longer than ${STEP_LIMIT_MS / 1_000} s`);
    });
    late.catch(() => {});
    try {
      return await Promise.race([step, late]);
    } finally {
      stop.abort();
    }
  }
}

/** How fast something goes, over the last second. */
class Rate {
  #counts: { readonly at: number; readonly count: number }[] = [];

  add(count: number): void {
    const now = performance.now();
    this.#counts = this.#counts.filter(({ at }) => at > now - 1_000);
    this.#counts.push({ at: now, count });
  }

  get perSecond(): number {
    const [first] = this.#counts;
    if (first === undefined) return 0;
    const sum = this.#counts.reduce((all, { count }) => all + count, 0);
    return (sum / Math.max(200, performance.now() - first.at)) * 1_000;
  }
}

/** A port that nobody listens on: what is sent there finds no server. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
