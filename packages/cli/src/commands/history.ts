import { NodeSyncService } from 'nexus-store/node';
import type { Command, CommandContext, CommandResult } from '../command.ts';
import { DATABASE_HELP, DATABASE_OPTION, databasePath, openForReading } from '../database.ts';
import { counted, formatCount, formatSpan, plain } from '../format.ts';

type JournalRecord = Awaited<ReturnType<NodeSyncService['history']>>[number];

const DEFAULT_LIMIT = 20;
/** A run without an end that began longer ago was killed. */
const LONGEST_RUN_MS = 15 * 60_000;

export const historyCommand: Command = {
  name: 'history',
  summary: 'what the last background runs did',
  options: { ...DATABASE_OPTION, limit: { type: 'string' } },
  help: `nexus-store history [options]

Says what the last background runs did, the newest first: when, how long, what was sent, and why they
ended. A background run is one that was asked for before, such as the periodic ones of an app or a daemon;
what is sent as soon as it is written is none. Changes nothing.

${DATABASE_HELP}
  --limit N            so many at most (default: ${DEFAULT_LIMIT}; 200 are kept)`,

  async run({ options, env }: CommandContext): Promise<CommandResult> {
    const limit = options.count('limit', 1) ?? DEFAULT_LIMIT;
    const database = await openForReading(databasePath(options, env));
    const { backend } = database;
    const service = new NodeSyncService({ backend, path: database.path, drainOnExit: false });
    try {
      const records = (await service.history()).toReversed().slice(0, limit);
      return { text: historyText(records, Date.now()), json: records };
    } finally {
      await service.dispose();
      await database.close();
    }
  },
};

export function historyText(records: readonly JournalRecord[], now: number): string {
  if (records.length === 0)
    return 'No background run has been recorded in this database. What is sent as soon as it is written is none.';
  return records.map((record) => recordText(record, now)).join('\n');
}

function recordText(record: JournalRecord, now: number): string {
  const { beganAt, endedAt, attempt } = record;
  const when = `${formatSpan(Math.max(0, now - beganAt))} ago`;
  const again = attempt > 1 ? `, attempt ${attempt}` : '';
  const took = endedAt === null ? '' : ` in ${formatSpan(Math.max(0, endedAt - beganAt))}`;
  return `${when}: ${kindOf(record)}${again} ${whatItDid(record, now)}${took}.${whyItEnded(record)}`;
}

/** The service derives the ids of its requests from its own. */
function kindOf({ requestId }: JournalRecord): string {
  if (requestId.endsWith('.critical')) return 'the run for critical writes';
  return requestId.endsWith('.soon') ? 'the run for what waits' : 'the periodic run';
}

function whatItDid(record: JournalRecord, now: number): string {
  const { pushed, pulled, unmet, endedAt, beganAt, remaining } = record;
  if (endedAt === null)
    return now - beganAt > LONGEST_RUN_MS ? 'was killed before it ended' : 'has not ended yet';
  if (unmet.length > 0) return `did nothing, waiting for ${unmet.join(' and ')},`;
  if (pushed + pulled === 0)
    return remaining !== null && remaining > 0 ? 'sent nothing' : 'found nothing to send';
  return [
    ...(pushed > 0 ? [`sent ${counted(pushed, 'entry', 'entries')}`] : []),
    ...(pulled > 0 ? [`fetched ${counted(pulled, 'row')}`] : []),
  ].join(' and ');
}

const STOPS: Readonly<Record<string, string>> = {
  deadline: 'Its time was over',
  offline: 'The server could not be reached',
  blocked: 'The server asked to wait, or refused',
  aborted: 'It was stopped',
  paused: 'The app has paused its sync',
};

function whyItEnded({ stoppedBy, stopReason, remaining, error }: JournalRecord): string {
  const parts: string[] = [];
  const stop = stoppedBy === null ? undefined : STOPS[stoppedBy];
  if (stop !== undefined) parts.push(stop);
  if (stopReason !== null) parts.push(`The system ended it (${stopReason})`);
  if (remaining !== null && remaining > 0)
    parts.push(
      remaining === 1 ? '1 entry was left' : `${formatCount(remaining)} entries were left`,
    );
  if (error !== null) parts.push(`A task failed: ${plain(error, 120)}`);
  return parts.map((part) => ` ${part}.`).join('');
}
