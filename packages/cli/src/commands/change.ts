import type { CancelResult, StoreBackend } from 'nexus-store';
import { CliError } from '../cli-error.ts';
import type { Command, CommandContext, CommandResult } from '../command.ts';
import { DATABASE_HELP, DATABASE_OPTION, databasePath, openDatabase } from '../database.ts';
import { counted, plain } from '../format.ts';
import { requireEntry } from './inspect.ts';

export const retryCommand: Command = {
  name: 'retry',
  summary: 'send a dead letter again, or a waiting entry without its delay',
  arguments: ['ID?'],
  options: {
    ...DATABASE_OPTION,
    all: { type: 'boolean' },
    collection: { type: 'string' },
    code: { type: 'string' },
  },
  help: `nexus-store retry ID [options]
nexus-store retry --all [--collection NAME] [--code CODE] [options]

Puts the dead letter ID back into the queue, or all of them; a waiting entry loses its delay. The next
sync sends it.

${DATABASE_HELP}
  --all                all dead letters
  --collection NAME    with --all: of this collection only
  --code CODE          with --all: only those with this failure, for example remote/rejected`,

  async run({ options, env }: CommandContext): Promise<CommandResult> {
    const id = options.argument('ID');
    const isAll = options.isSet('all');
    if ((id === undefined) === !isAll) {
      throw new CliError('usage/missing-argument', 'retry needs the ID of an entry, or --all');
    }
    const database = await openDatabase(databasePath(options, env));
    try {
      if (id === undefined) {
        const [collection, code] = [options.text('collection'), options.text('code')];
        const retried = await database.backend.retryAll({
          ...(collection === undefined ? {} : { collection }),
          ...(code === undefined ? {} : { code }),
        });
        const text = `${counted(retried, 'dead letter')} back in the queue`;
        return { text, json: { retried } };
      }
      await requireEntry(database.backend, id);
      const result = await database.backend.retry(id);
      if (result === 'not-found') throw notRetriable(id);
      return { text: RETRIED[result](id), json: { id, result } };
    } finally {
      await database.close();
    }
  },
};

const RETRIED = {
  queued: (id: string) => `${id} is back in the queue; the next sync sends it`,
  blocked: (id: string) => `${id} is back in the queue, and goes once what it waits for is settled`,
  vanished: (id: string) => `${id} met its delete: nothing is left to send`,
} as const;

function notRetriable(id: string): CliError {
  return new CliError(
    'cli/entry-not-found',
    `${id} waits for a decision about its conflict, which only the app can make`,
  );
}

export const discardCommand: Command = {
  name: 'discard',
  summary: 'give a dead letter up for good',
  arguments: ['ID'],
  options: DATABASE_OPTION,
  help: `nexus-store discard ID [options]

Deletes the dead letter ID, with its transaction if it is part of one. What it held is gone: save it
first with "nexus-store export".

${DATABASE_HELP}`,

  async run({ options, env }: CommandContext): Promise<CommandResult> {
    const id = options.argument('ID') as string;
    const database = await openDatabase(databasePath(options, env));
    try {
      const entry = await requireEntry(database.backend, id);
      if (entry.state !== 'dead') {
        throw new CliError(
          'cli/entry-not-found',
          `${id} is no dead letter: it is ${entry.state}. "nexus-store cancel ${id}" takes back what was not sent`,
        );
      }
      const gone = await entriesOf(database.backend, 'entry-discarded', (backend) =>
        backend.discard(id),
      );
      return {
        text: `${id} is gone${withOthers(id, gone.entries)}`,
        json: { id, discarded: true, entries: gone.entries },
      };
    } finally {
      await database.close();
    }
  },
};

/** What a change comes to, and the entries that it took along: all of a transaction. */
async function entriesOf<R>(
  backend: StoreBackend,
  type: 'entry-cancelled' | 'entry-discarded',
  change: (backend: StoreBackend) => Promise<R>,
): Promise<{ readonly result: R; readonly entries: readonly string[] }> {
  const entries: string[] = [];
  const stop = backend.on((event) => {
    if (event.type === type) entries.push(event.entryId);
  });
  try {
    return { result: await change(backend), entries };
  } finally {
    stop();
  }
}

function withOthers(id: string, entries: readonly string[]): string {
  const others = entries.filter((entry) => entry !== id);
  if (others.length === 0) return '';
  return `, and with it the rest of its transaction: ${others.join(', ')}`;
}

const NOT_CANCELLED: Readonly<Record<Exclude<CancelResult, 'cancelled' | 'not-found'>, string>> = {
  claimed: 'it is being sent now; try again in a minute',
  ambiguous: 'the server may have it already; sync to find out',
  'has-dependents': 'later entries need it; cancel those first, the last one first',
};

export const cancelCommand: Command = {
  name: 'cancel',
  summary: 'take back an entry that was not sent',
  arguments: ['ID'],
  options: DATABASE_OPTION,
  help: `nexus-store cancel ID [options]

Takes the entry ID out of the queue, with its transaction if it is part of one, and gives the entity the
value back that it had before. Only what the server certainly does not have can be cancelled.

${DATABASE_HELP}`,

  async run({ options, env }: CommandContext): Promise<CommandResult> {
    const id = options.argument('ID') as string;
    const database = await openDatabase(databasePath(options, env));
    try {
      const { result, entries } = await entriesOf(database.backend, 'entry-cancelled', (backend) =>
        backend.cancel(id),
      );
      if (result === 'cancelled') {
        const text = `${id} is cancelled${withOthers(id, entries)}`;
        return { text, json: { id, result, entries } };
      }
      if (result === 'not-found') await requireEntry(database.backend, id);
      const reason = result === 'not-found' ? 'it is gone' : NOT_CANCELLED[result];
      throw new CliError('cli/not-cancelled', `${plain(id)} is not cancelled: ${reason}`, {
        facts: { result },
      });
    } finally {
      await database.close();
    }
  },
};
