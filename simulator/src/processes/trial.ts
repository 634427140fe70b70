import { fork, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Assignment, Command, Report } from './messages.ts';
import { PushServer, type Push } from './push-server.ts';

export interface TrialOptions {
  readonly processes: number;
  /** How long all of them write. */
  readonly writeMs: number;
  /** Between two kills of a process that is sending. */
  readonly killEveryMs: number;
  readonly leaseMs: number;
  readonly requestTimeoutMs: number;
  readonly everyMs: number;
  readonly seed: number;
}

/** How the writes of one process fared. */
export interface Fare {
  readonly name: string;
  /** How long it wrote, until it was told to stop or was killed. */
  readonly wroteMs: number;
  readonly saved: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface TrialResult {
  readonly fares: readonly Fare[];
  /** From each kill of a sender until all it was sending was sent by another. */
  readonly takeoverMs: readonly number[];
  readonly applied: number;
  readonly pushes: number;
  /** Broken promises, in words. */
  readonly faults: readonly string[];
}

interface Member {
  readonly name: string;
  readonly child: ChildProcess;
  readonly latencies: number[];
  readyAt: number;
  stoppedAt: number;
  isDrained: boolean;
}

interface Kill {
  readonly at: number;
  readonly victim: string;
  readonly waiting: Set<string>;
  readonly seen: number[];
}

const DRAIN_MS = 20_000;

/**
 * Real processes on one file, all of them writing and sending, some of them killed in the middle of a
 * request. The server's log tells whether an entry was sent by one of them at a time, what was taken over
 * when, and whether everything that was promised arrived once.
 */
export async function runTrial(options: TrialOptions): Promise<TrialResult> {
  const folder = await mkdtemp(join(tmpdir(), 'nexus-store-trial-'));
  const trial = new Trial(options, join(folder, 'store.db'));
  try {
    return await trial.run();
  } finally {
    await trial.close();
    await rm(folder, { recursive: true, force: true });
  }
}

class Trial {
  readonly #options: TrialOptions;
  readonly #path: string;
  readonly #server = new PushServer();
  readonly #members: Member[] = [];
  readonly #saved = new Set<string>();
  readonly #faults: string[] = [];
  readonly #kills: Kill[] = [];
  #nextKillAt = Infinity;
  #count = 0;
  #wake: () => void = () => {};

  constructor(options: TrialOptions, path: string) {
    this.#options = options;
    this.#path = path;
    this.#server.onPush = (push) => this.#onPush(push);
  }

  async run(): Promise<TrialResult> {
    const { processes, writeMs, killEveryMs } = this.#options;
    const url = await this.#server.listen();
    await Promise.all(Array.from({ length: processes }, () => this.#start(url)));
    const endAt = performance.now() + writeMs;
    this.#nextKillAt = performance.now() + killEveryMs / 2;
    while (performance.now() < endAt) {
      await sleep(50);
      const missing = processes - this.#alive.length;
      for (let index = 0; index < missing; index += 1) await this.#start(url);
    }
    this.#nextKillAt = Infinity;
    for (const member of this.#alive) {
      member.stoppedAt = performance.now();
      send(member.child, { kind: 'stop-writing' });
    }
    await this.#drained();
    return this.#result();
  }

  async close(): Promise<void> {
    for (const { child } of this.#alive) child.kill('SIGKILL');
    await this.#server.close();
  }

  get #alive(): readonly Member[] {
    return this.#members.filter(
      ({ child }) => child.exitCode === null && child.signalCode === null,
    );
  }

  async #start(url: string): Promise<void> {
    const { leaseMs, requestTimeoutMs, everyMs, seed } = this.#options;
    this.#count += 1;
    const name = `p${this.#count}`;
    const assignment: Assignment = {
      name,
      path: this.#path,
      url,
      leaseMs,
      requestTimeoutMs,
      everyMs,
      seed,
    };
    const child = fork(
      join(import.meta.dirname, 'writer-process.ts'),
      [JSON.stringify(assignment)],
      { execArgv: ['--conditions=nexus-source', '--disable-warning=ExperimentalWarning'] },
    );
    const member: Member = {
      name,
      child,
      latencies: [],
      readyAt: 0,
      stoppedAt: 0,
      isDrained: false,
    };
    this.#members.push(member);
    await new Promise<void>((resolve) => {
      child.once('exit', () => {
        member.stoppedAt ||= performance.now();
        resolve();
        this.#wake();
      });
      child.on('message', (report: Report) => {
        if (report.kind === 'ready') {
          member.readyAt = performance.now();
          resolve();
        }
        this.#onReport(member, report);
      });
    });
  }

  #onReport(member: Member, report: Report): void {
    if (report.kind === 'saved') {
      member.latencies.push(report.tookMs);
      this.#saved.add(report.token);
    } else if (report.kind === 'error') {
      this.#faults.push(`${member.name} ${report.where}: ${report.text}`);
    } else if (report.kind === 'drained') {
      member.isDrained = true;
      this.#wake();
    }
  }

  #onPush(push: Push): 'answer' | 'lose-request' | 'lose-answer' {
    for (const kill of this.#kills) {
      if (push.process === kill.victim) continue;
      for (const key of push.keys) {
        if (kill.waiting.delete(key)) kill.seen.push(push.at - kill.at);
      }
    }
    const isLast = this.#alive.length < this.#options.processes;
    if (performance.now() < this.#nextKillAt || isLast) return 'answer';
    this.#nextKillAt = performance.now() + this.#options.killEveryMs;
    const victim = this.#members.find(({ name }) => name === push.process);
    victim?.child.kill('SIGKILL');
    const at = performance.now();
    this.#kills.push({ at, victim: push.process, waiting: new Set(push.keys), seen: [] });
    return this.#kills.length % 2 === 0 ? 'lose-answer' : 'lose-request';
  }

  async #drained(): Promise<void> {
    const endAt = performance.now() + DRAIN_MS;
    while (this.#alive.some(({ isDrained }) => !isDrained)) {
      const leftMs = endAt - performance.now();
      if (leftMs <= 0) {
        this.#faults.push(`not everything was sent within ${DRAIN_MS} ms`);
        return;
      }
      await Promise.race([sleep(leftMs), new Promise<void>((resolve) => (this.#wake = resolve))]);
    }
  }

  #result(): TrialResult {
    const { tokens, faults, pushes } = this.#server;
    const counts = new Map<string, number>();
    for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1);
    for (const token of this.#saved) {
      if (!counts.has(token))
        this.#faults.push(`the write ${token} was promised and never arrived`);
    }
    for (const [token, count] of counts) {
      if (count > 1) this.#faults.push(`the write ${token} took effect ${count} times`);
    }
    for (const { victim, waiting } of this.#kills) {
      if (waiting.size > 0) this.#faults.push(`${waiting.size} entries of ${victim} were left`);
    }
    return {
      fares: this.#members.map(fareOf),
      takeoverMs: this.#kills.map(({ seen }) => Math.max(...seen)),
      applied: tokens.length,
      pushes: pushes.length,
      faults: [...this.#faults, ...faults],
    };
  }
}

function fareOf({ name, latencies, readyAt, stoppedAt }: Member): Fare {
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
  const wroteMs = stoppedAt - readyAt;
  return { name, wroteMs, saved: sorted.length, medianMs: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

function send(child: ChildProcess, command: Command): void {
  child.send(command, () => {});
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
