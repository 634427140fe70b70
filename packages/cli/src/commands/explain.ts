import { NodeSyncService } from 'nexus-store/node';
import type { Command, CommandContext, CommandResult } from '../command.ts';
import { DATABASE_HELP, DATABASE_OPTION, databasePath, openForReading } from '../database.ts';
import { counted, formatSpan, plain } from '../format.ts';

type Explanation = Awaited<ReturnType<NodeSyncService['explain']>>;
type Reason = Explanation['reasons'][number];

export const explainCommand: Command = {
  name: 'explain',
  summary: 'why something has not synced',
  options: DATABASE_OPTION,
  help: `nexus-store explain [options]

Says why what waits has not been sent, the most telling reason first, and what to do about it. Changes
nothing.

${DATABASE_HELP}`,

  async run({ options, env }: CommandContext): Promise<CommandResult> {
    const database = await openForReading(databasePath(options, env));
    const { backend } = database;
    const service = new NodeSyncService({ backend, path: database.path, drainOnExit: false });
    try {
      const { pending, reasons } = await service.explain();
      // This process only looks: that it has initialised nothing says nothing of the app.
      const known = reasons.filter(({ code }) => code !== 'not-initialized');
      const { oldestPendingAt } = backend.status.current;
      return {
        text: explanationText({ pending, reasons: known }, oldestPendingAt, Date.now()),
        json: { pending, oldestPendingAt, reasons: known },
      };
    } finally {
      await service.dispose();
      await database.close();
    }
  },
};

export function explanationText(
  { pending, reasons }: Explanation,
  oldestPendingAt: number | null,
  now: number,
): string {
  const [first] = reasons;
  if (first?.code === 'nothing-pending') return first.message;
  const oldest =
    oldestPendingAt === null
      ? ''
      : `, the oldest for ${formatSpan(Math.max(0, now - oldestPendingAt))}`;
  const waits = pending === 1 ? 'waits' : 'wait';
  const lines =
    pending === 0
      ? ['Nothing waits to be sent.']
      : [`${counted(pending, 'entry', 'entries')} ${waits} to be sent${oldest}.`];
  if (first === undefined) {
    lines.push(
      'Nothing stands in the way: they go when the app or a daemon runs, or with "nexus-store sync".',
    );
  }
  reasons.forEach((reason, index) => {
    const number = reasons.length > 1 ? `${index + 1}. ` : '';
    lines.push(`${number}${reasonText(reason, now)}`);
  });
  return lines.join('\n');
}

function reasonText({ message, action, since, until }: Reason, now: number): string {
  const times = [
    ...(since === null || since > now ? [] : [`since ${formatSpan(now - since)} ago`]),
    ...(until === null || until <= now ? [] : [`for another ${formatSpan(until - now)} at least`]),
  ];
  const when = times.length === 0 ? '' : ` (${times.join(', ')})`;
  const text = plain(message, 300).replace(/\.$/, '');
  return `${text}${when}.${action === null ? '' : ` ${action}`}`;
}
