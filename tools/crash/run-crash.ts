import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Actor } from './actor.ts';
import { Expectation } from './expectation.ts';
import { Ledger } from './ledger.ts';
import type { ChildMessage } from './messages.ts';
import { prove, type DeviceFacts } from './prove.ts';
import { Random } from './random.ts';
import { tokenOf } from './users.ts';

export interface CrashOptions {
  readonly kills: number;
  readonly seed: number;
  /** Told now and then how many kills there were. */
  readonly onProgress?: (kills: number) => void;
}

export interface CrashResult {
  /** What was not as it must be; empty if everything was. */
  readonly problems: readonly string[];
  readonly kills: { readonly writer: number; readonly drain: number; readonly server: number };
  readonly acknowledged: number;
  /** Attempted, not acknowledged before the kill, and found to be stored. */
  readonly silent: number;
  readonly attempted: number;
  readonly refused: number;
  /** Entries the server had received before the end, and after it. */
  readonly arrivedMeanwhile: number;
  readonly arrived: number;
  readonly durationMs: number;
  /** Kept if something was wrong. */
  readonly folder: string;
}

/** Two runners for the second device: only leases keep them apart. */
const DRAINS = [1, 2];
const STUCK_MS = 20_000;

/** Kills real processes at random moments, then proves that nothing was lost or done twice. */
export async function runCrash(options: CrashOptions): Promise<CrashResult> {
  const run = new CrashRun(options);
  try {
    return await run.all();
  } finally {
    await run.end();
  }
}

class CrashRun {
  readonly #options: CrashOptions;
  readonly #random: Random;
  readonly #folder = mkdtempSync(join(tmpdir(), 'nexus-store-crash-'));
  readonly #ledger = new Ledger(join(this.#folder, 'ledger.ndjson'));
  readonly #startedAt = performance.now();
  readonly #actors: Actor[] = [];
  readonly #problems: string[] = [];
  readonly #kills = { writer: 0, drain: 0, server: 0 };
  readonly #devices = DRAINS.map((_, device) => ({
    device,
    database: join(this.#folder, `device-${device}.db`),
    expectation: new Expectation(),
  }));
  readonly #serverDatabase = join(this.#folder, 'server.db');
  readonly #isServing = deferred();
  #refused = 0;
  #port = 0;
  #isOver = false;
  #processes = 0;

  constructor(options: CrashOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
  }

  async all(): Promise<CrashResult> {
    this.#port = await freePort();
    const servers = this.#killAgainAndAgain('server', () => this.#serverTask(), 300, 1_500);
    await Promise.race([this.#isServing.promise, servers]);
    await Promise.all([
      servers,
      ...this.#devices.flatMap((facts) => [
        this.#killAgainAndAgain('writer', () => this.#writerTask(facts), 0, 600),
        ...Array.from({ length: DRAINS[facts.device] ?? 1 }, () =>
          this.#killAgainAndAgain('drain', () => this.#drainTask(facts), 0, 900),
        ),
      ]),
    ]);
    const proof = await prove({
      devices: this.#devices.map((facts) => ({ ...facts, token: tokenOf(facts.device) })),
      serverDatabase: this.#serverDatabase,
      ledger: this.#ledger.readAll(),
    });
    this.#problems.push(...proof.problems);
    const { attempted, silent } = this.#sums();
    return {
      problems: this.#problems,
      kills: this.#kills,
      acknowledged: proof.acknowledged,
      silent,
      attempted,
      refused: this.#refused,
      arrivedMeanwhile: proof.arrivedMeanwhile,
      arrived: proof.arrived,
      durationMs: performance.now() - this.#startedAt,
      folder: this.#folder,
    };
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#actors.map((actor) => actor.stop()));
    if (this.#problems.length === 0) rmSync(this.#folder, { recursive: true, force: true });
  }

  #sums(): { attempted: number; silent: number } {
    let [attempted, silent] = [0, 0];
    for (const { expectation } of this.#devices) {
      attempted += expectation.attempted;
      silent += expectation.silent.length;
    }
    return { attempted, silent };
  }

  get #killed(): number {
    return this.#kills.writer + this.#kills.drain + this.#kills.server;
  }

  get #isDone(): boolean {
    return this.#isOver || this.#killed >= this.#options.kills || this.#problems.length > 0;
  }

  /** @param earliestMs after the process has begun its work, and `latestMs` likewise */
  async #killAgainAndAgain(
    kind: 'writer' | 'drain' | 'server',
    task: () => Task,
    earliestMs: number,
    latestMs: number,
  ): Promise<void> {
    const actor = new Actor(kind, join(this.#folder, 'cache'), (error) =>
      this.#fail(error.message),
    );
    this.#actors.push(actor);
    while (!this.#isDone) {
      await this.#startAndKill(actor, kind, task(), earliestMs, latestMs);
    }
    await actor.stop();
  }

  async #startAndKill(
    actor: Actor,
    kind: 'writer' | 'drain' | 'server',
    task: Task,
    earliestMs: number,
    latestMs: number,
  ): Promise<void> {
    const stop = new AbortController();
    const begun = new Promise<void>((resolve) => {
      stop.signal.addEventListener('abort', () => resolve());
      void actor.start(task.go, (message) => {
        task.onMessage(message);
        resolve();
      });
    });
    await Promise.race([
      begun,
      sleep(STUCK_MS, undefined, { signal: stop.signal })
        .then(() => this.#fail(`a ${kind} did nothing for ${STUCK_MS} ms`))
        .catch(() => {}),
    ]);
    stop.abort();
    // Often at once, when most is going on.
    const part = this.#random.float() ** 2;
    await sleep(earliestMs + part * (latestMs - earliestMs));
    await actor.kill();
    this.#kills[kind] += 1;
    this.#options.onProgress?.(this.#killed);
  }

  #fail(problem: string): void {
    if (!this.#isOver) this.#problems.push(problem);
  }

  #task(database: string, device: number): Task['go'] {
    this.#processes += 1;
    return {
      database,
      url: `http://127.0.0.1:${this.#port}`,
      port: this.#port,
      token: tokenOf(device),
      seed: this.#random.below(2 ** 31),
      prefix: `p${this.#processes}`,
    };
  }

  #serverTask(): Task {
    return {
      go: this.#task(this.#serverDatabase, 0),
      onMessage: () => this.#isServing.resolve(),
    };
  }

  #drainTask({ database, device }: Facts): Task {
    return {
      go: this.#task(database, device),
      onMessage: (message) => {
        if (message.type === 'synced' && message.dead > 0) {
          this.#fail(`device ${device}: ${message.dead} entries became dead letters`);
        }
      },
    };
  }

  #writerTask({ database, device, expectation }: Facts): Task {
    return {
      go: this.#task(database, device),
      onMessage: (message) => {
        if (message.type === 'found') {
          for (const problem of expectation.settle(new Map(message.entities))) {
            this.#fail(`device ${device}, after a kill: ${problem}`);
          }
        }
        if (message.type === 'begin') expectation.begin(message.write);
        if (message.type === 'saved') {
          this.#ledger.append({ device, write: expectation.saved(message.lane) });
        }
        if (message.type === 'refused') {
          expectation.refused(message.lane);
          this.#refused += 1;
          // Many processes share a file: one may have to give up. Nothing else may happen.
          if (message.code !== 'storage/busy') this.#fail(`device ${device}: ${message.code}`);
        }
      },
    };
  }
}

type Facts = Omit<DeviceFacts, 'token'>;

interface Task {
  readonly go: {
    readonly database: string;
    readonly url: string;
    readonly port: number;
    readonly token: string;
    readonly seed: number;
    readonly prefix: string;
  };
  readonly onMessage: (message: ChildMessage) => void;
}

function deferred(): { readonly promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

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
