import { setTimeout as sleep } from 'node:timers/promises';
import type { Duration, StoreBackend, SyncReport } from 'nexus-store';
import { httpRemote } from 'nexus-store/http';
import type { Command, CommandContext, CommandResult } from '../command.ts';
import { DATABASE_HELP, DATABASE_OPTION, databasePath, openDatabase } from '../database.ts';
import { ExitCode } from '../exit-code.ts';
import { counted, formatCount, formatInstant, formatSpan, plain } from '../format.ts';
import { ProgressBar } from '../progress-bar.ts';
import {
  COLLECTION_HELP,
  COLLECTION_OPTIONS,
  SERVER_OPTIONS,
  serverAccess,
  withoutStore,
} from '../server-access.ts';
import { withoutDetail } from './status.ts';

export const syncCommand: Command = {
  name: 'sync',
  summary: 'send what waits, the most urgent first',
  options: {
    ...DATABASE_OPTION,
    ...SERVER_OPTIONS,
    budget: { type: 'string' },
    wait: { type: 'boolean' },
    ...COLLECTION_OPTIONS,
    timeout: { type: 'string' },
    concurrency: { type: 'string' },
  },
  help: `nexus-store sync --url URL [options]

Sends what waits in the queue, the most urgent first, and says what became of it. What cannot be sent
now stays in the queue. The token is read from $NEXUS_STORE_TOKEN or a file, and is never stored.

${DATABASE_HELP}
  --url URL            the server (default: $NEXUS_STORE_URL)
  --token-file FILE    the file with the bearer token (default: $NEXUS_STORE_TOKEN)
  --budget TIME        stop after this time, for example 25s (default: when everything is sent)
  --wait               wait for entries that are due later, within the budget
${COLLECTION_HELP}
  --timeout TIME       the longest one request may take (default: 30s)
  --concurrency N      requests in flight (default: 4)

Exit codes: 0 everything is sent, 3 the server cannot be reached or refuses, 4 there are dead letters or
conflicts, 5 entries are left for later.`,

  async run({ options, env, stderr, signal }: CommandContext): Promise<CommandResult> {
    const access = serverAccess({ options, env }, 'sync');
    const budget = options.duration('budget');
    const without = withoutStore(options);
    const timeout = options.duration('timeout', 1);
    const concurrency = options.count('concurrency', 1);
    const database = await openDatabase(databasePath(options, env), {
      remote: httpRemote({
        ...access,
        pull: (without.pull ?? []).length > 0,
        events: false,
      }),
      withoutStore: without,
      ...(timeout === undefined ? {} : { requestTimeout: timeout }),
      ...(concurrency === undefined ? {} : { concurrency }),
    });
    try {
      const run = new SyncRun(database.backend, new ProgressBar(stderr, 'sync'), signal);
      const report = await run.all(budget, options.isSet('wait'));
      const { dead, conflicts, lastFailure, blockedBy } = withoutDetail(
        database.backend.status.current,
      );
      return {
        text: reportText(report, { dead, conflicts, failure: lastFailure?.code }),
        json: {
          ...report,
          durationMs: Math.round(report.durationMs),
          deadLetters: dead,
          openConflicts: conflicts,
          blockedBy,
          lastFailure,
        },
        exitCode: exitCodeOf(report, dead + conflicts),
      };
    } finally {
      await database.close();
    }
  },
};

class SyncRun {
  readonly #backend: StoreBackend;
  readonly #progress: ProgressBar;
  readonly #signal: AbortSignal;

  constructor(backend: StoreBackend, progress: ProgressBar, signal: AbortSignal) {
    this.#backend = backend;
    this.#progress = progress;
    this.#signal = signal;
  }

  async all(budget: Duration | undefined, waits: boolean): Promise<SyncReport> {
    const unsubscribe = this.#backend.status.subscribe(({ progress }) => {
      if (progress === null) return;
      const { done, total } = progress;
      this.#progress.update(total === 0 ? null : done / total, done, 'entries');
    });
    try {
      const endsAt = budget === undefined ? Infinity : performance.now() + msOf(budget);
      let report = await this.#once(endsAt);
      while (waits && canWait(report, endsAt) && !this.#signal.aborted) {
        await this.#until(report.nextAttemptAt as number);
        report = sum(report, await this.#once(endsAt));
      }
      return report;
    } finally {
      unsubscribe();
      this.#progress.clear();
    }
  }

  #once(endsAt: number): Promise<SyncReport> {
    const left = endsAt - performance.now();
    return this.#backend.sync({
      signal: this.#signal,
      reason: 'cli',
      ...(Number.isFinite(left) ? { budget: Math.max(0, Math.round(left)) } : {}),
    });
  }

  async #until(at: number): Promise<void> {
    const delayMs = Math.max(0, Math.min(at - Date.now(), 2_000_000_000)) + 10;
    await sleep(delayMs, undefined, { signal: this.#signal }).catch(() => {});
  }
}

/** Only what will be due by itself is worth waiting for. */
function canWait(report: SyncReport, endsAt: number): boolean {
  const { nextAttemptAt, remaining, stoppedBy } = report;
  if (remaining === 0 || nextAttemptAt === null) return false;
  if (stoppedBy !== 'drained' && stoppedBy !== 'offline' && stoppedBy !== 'blocked') return false;
  return performance.now() + (nextAttemptAt - Date.now()) < endsAt;
}

function sum(before: SyncReport, after: SyncReport): SyncReport {
  return {
    ...after,
    pushed: before.pushed + after.pushed,
    pulled: before.pulled + after.pulled,
    conflicts: before.conflicts + after.conflicts,
    dead: before.dead + after.dead,
    durationMs: before.durationMs + after.durationMs,
  };
}

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

function msOf(duration: Duration): number {
  if (typeof duration === 'number') return duration;
  const unit = /[a-z]+$/.exec(duration)?.[0] as keyof typeof UNIT_MS;
  return Number.parseFloat(duration) * UNIT_MS[unit];
}

function exitCodeOf(report: SyncReport, needingAttention: number): ExitCode {
  if (report.stoppedBy === 'aborted') return ExitCode.interrupted;
  if (['offline', 'blocked', 'paused'].includes(report.stoppedBy)) return ExitCode.blocked;
  if (needingAttention > 0) return ExitCode.attention;
  return report.remaining > 0 ? ExitCode.unfinished : ExitCode.ok;
}

interface After {
  readonly dead: number;
  readonly conflicts: number;
  readonly failure: string | undefined;
}

function reportText(report: SyncReport, after: After): string {
  const pulled = report.pulled === 0 ? '' : `, ${formatCount(report.pulled)} fetched`;
  const lines = [
    `${counted(report.pushed, 'entry', 'entries')} sent${pulled} in ${formatSpan(report.durationMs)}`,
  ];
  const stop = stopText(report, after.failure);
  if (stop !== null) lines.push(stop);
  if (report.remaining > 0) {
    const next =
      report.nextAttemptAt === null
        ? ''
        : `; next attempt ${formatInstant(report.nextAttemptAt, Date.now())}`;
    lines.push(`${counted(report.remaining, 'entry', 'entries')} left, safe in the queue${next}`);
  }
  if (after.dead > 0) {
    lines.push(`${counted(after.dead, 'dead letter')}; see "nexus-store inspect --state dead"`);
  }
  if (after.conflicts > 0) {
    lines.push(
      `${counted(after.conflicts, 'conflict')}; see "nexus-store inspect --state conflict"`,
    );
  }
  return lines.join('\n');
}

function stopText(report: SyncReport, failure: string | undefined): string | null {
  const because = failure === undefined ? '' : ` (${plain(failure)})`;
  switch (report.stoppedBy) {
    case 'offline':
      if (failure === 'remote/protocol')
        return 'something answered that is not the sync server (a sign-in page of the network, or a wrong --url); then sync again';
      return `the server could not be reached${because}; check --url and the network, then sync again`;
    case 'blocked':
      if (failure === 'remote/upgrade-required')
        return 'the server wants a newer version of the app; update it, then sync again';
      if (failure === 'remote/protocol')
        return 'nothing at this --url speaks the sync protocol; check it, its path too, then sync again';
      return failure === 'remote/unauthorised'
        ? 'the server refused the credentials; put a valid token into NEXUS_STORE_TOKEN or --token-file'
        : `the server refuses for now${because}; sync again later`;
    case 'paused':
      return 'the app paused its sync; resume it there';
    case 'aborted':
      return 'stopped; sync again to go on';
    case 'deadline':
      return 'the budget is used up; sync again to go on';
    case 'drained':
      return null;
  }
}
