import { writeFileSync } from 'node:fs';
import { CliError } from '../cli-error.ts';
import type { Command, CommandContext, CommandResult } from '../command.ts';
import { DATABASE_HELP, DATABASE_OPTION, databasePath, openForReading } from '../database.ts';
import { counted, plain } from '../format.ts';

export const exportCommand: Command = {
  name: 'export',
  summary: 'write the dead letters out, with their payloads and reasons',
  options: {
    ...DATABASE_OPTION,
    collection: { type: 'string' },
    code: { type: 'string' },
    out: { type: 'string' },
    force: { type: 'boolean' },
  },
  help: `nexus-store export [options]

Writes the dead letters as one JSON document, payloads included, to standard output or to a file. Changes
nothing in the database.

${DATABASE_HELP}
  --collection NAME    of this collection only
  --code CODE          only those with this failure, for example remote/rejected
  --out FILE           write to FILE, which only you may read
  --force              overwrite FILE`,

  async run({ options, env }: CommandContext): Promise<CommandResult> {
    const [collection, code, out] = [
      options.text('collection'),
      options.text('code'),
      options.text('out'),
    ];
    const database = await openForReading(databasePath(options, env));
    try {
      const text = await database.backend.export({
        ...(collection === undefined ? {} : { collection }),
        ...(code === undefined ? {} : { code }),
      });
      const document = JSON.parse(text) as { readonly deadLetters: readonly unknown[] };
      if (out === undefined) return { text, json: document };
      writeOut(out, text, options.isSet('force'));
      const count = document.deadLetters.length;
      return {
        text: `${counted(count, 'dead letter')} written to ${plain(out, 200)}`,
        json: { file: out, deadLetters: count },
      };
    } finally {
      await database.close();
    }
  },
};

function writeOut(file: string, text: string, isForced: boolean): void {
  try {
    // The payloads are the users' own data: not for everyone on this machine.
    writeFileSync(file, `${text}\n`, { flag: isForced ? 'w' : 'wx', mode: 0o600 });
  } catch (cause) {
    const { code } = cause as { code?: unknown };
    if (code === 'EEXIST') {
      throw new CliError('cli/exists', `${plain(file, 200)} exists; name another, or give --force`);
    }
    throw new CliError(
      'cli/unwritable',
      `${plain(file, 200)} cannot be written (${String(code)}); name another with --out`,
      { cause },
    );
  }
}
