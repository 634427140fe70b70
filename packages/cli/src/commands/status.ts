import { statSync } from 'node:fs';
import { PRIORITIES, type SyncStatus } from 'nexus-store';
import type { Command, CommandContext, CommandResult } from '../command.ts';
import { DATABASE_HELP, DATABASE_OPTION, databasePath, openForReading } from '../database.ts';
import { ExitCode } from '../exit-code.ts';
import { counted, facts, formatBytes, formatCount, formatInstant, plain } from '../format.ts';

export const statusCommand: Command = {
  name: 'status',
  summary: 'what waits, what blocks it, when it goes on',
  options: { ...DATABASE_OPTION, check: { type: 'boolean' } },
  help: `nexus-store status [options]

Says what waits to be sent, what blocks it and when the next attempt is due. Changes nothing, and works
on a database that cannot be written.

${DATABASE_HELP}
  --check              tell by the exit code: 3 something blocks, 4 dead letters or conflicts,
                       5 entries wait, 0 nothing does`,

  async run({ options, env }: CommandContext): Promise<CommandResult> {
    const database = await openForReading(databasePath(options, env));
    try {
      const status = database.backend.status.current;
      const { principal } = database.backend;
      const { size } = statSync(database.path);
      const waiting = waitingOf(status);
      return {
        text: statusText(status, { path: database.path, size, principal, isCopy: database.isCopy }),
        json: {
          database: database.path,
          isReadOnly: database.isCopy,
          sizeBytes: size,
          principal,
          waiting,
          ...withoutDetail(status),
        },
        exitCode: options.isSet('check') ? checkCode(status) : ExitCode.ok,
      };
    } finally {
      await database.close();
    }
  },
};

function statusText(
  status: SyncStatus,
  about: { path: string; size: number; principal: string | null; isCopy: boolean },
): string {
  const now = Date.now();
  const waiting = waitingOf(status);
  const byPriority = PRIORITIES.filter((name) => status.pending[name] > 0)
    .map((name) => `${name} ${formatCount(status.pending[name])}`)
    .join(', ');
  const pairs: [string, string][] = [
    ['database', `${about.path}, ${formatBytes(about.size)}${about.isCopy ? ', read-only' : ''}`],
    [
      'waiting',
      waiting === 0 ? 'nothing' : `${counted(waiting, 'entry', 'entries')} (${byPriority})`,
    ],
  ];
  if (about.principal !== null) pairs.splice(1, 0, ['user', plain(about.principal)]);
  if (status.oldestPendingAt !== null) {
    pairs.push(['oldest', formatInstant(status.oldestPendingAt, now)]);
  }
  if (status.claimed > 0) pairs.push(['being sent', counted(status.claimed, 'entry', 'entries')]);
  if (status.conflicts > 0) {
    pairs.push([
      'conflicts',
      `${formatCount(status.conflicts)}; see "nexus-store inspect --state conflict"`,
    ]);
  }
  if (status.dead > 0) {
    pairs.push([
      'dead letters',
      `${formatCount(status.dead)}; see "nexus-store inspect --state dead"`,
    ]);
  }
  if (status.blockedBy !== null) pairs.push(['blocked by', blockText(status.blockedBy, now)]);
  if (status.lastSyncedAt !== null)
    pairs.push(['last synced', formatInstant(status.lastSyncedAt, now)]);
  if (status.lastFailure !== null) {
    const { code, status: http, at } = status.lastFailure;
    const number = http === undefined ? '' : ` (${http})`;
    pairs.push(['last failure', `${code}${number}, ${formatInstant(at, now)}`]);
  }
  if (waiting > 0 && status.nextAttemptAt !== null && status.nextAttemptAt > now) {
    pairs.push(['next attempt', formatInstant(status.nextAttemptAt, now)]);
  }
  return facts(pairs);
}

const BLOCKS: Readonly<Record<NonNullable<SyncStatus['blockedBy']>['reason'], string>> = {
  offline: 'the server could not be reached',
  unauthorised: 'the server refused the credentials; sync with a valid token',
  gate: 'the server asked to wait',
  paused: 'the app paused its sync',
  'upgrade-required': 'the server wants a newer version of the app',
};

function blockText(block: NonNullable<SyncStatus['blockedBy']>, now: number): string {
  const until = block.until === null ? '' : `, until ${formatInstant(block.until, now)}`;
  return `${BLOCKS[block.reason]}${until}`;
}

export function waitingOf(status: SyncStatus): number {
  return PRIORITIES.reduce((sum, name) => sum + status.pending[name], 0);
}

/** The server's own words may repeat what was sent: they are shown by `inspect --payload` only. */
export function withoutDetail(status: SyncStatus): SyncStatus {
  if (status.lastFailure === null) return status;
  const { detail: _, ...lastFailure } = status.lastFailure;
  return { ...status, lastFailure };
}

function checkCode(status: SyncStatus): ExitCode {
  if (status.dead + status.conflicts > 0) return ExitCode.attention;
  if (status.blockedBy !== null) return ExitCode.blocked;
  return waitingOf(status) > 0 ? ExitCode.unfinished : ExitCode.ok;
}
