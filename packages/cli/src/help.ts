import { CliError } from './cli-error.ts';
import type { Command, CommandResult } from './command.ts';
import { COMMANDS } from './commands/all.ts';
import { plain } from './format.ts';

const COMMON_HELP = `  --json               print one JSON document, errors too
  -h, --help           show this`;

export function commandHelp(command: Command): CommandResult {
  const text = placed(command.help);
  return { text, json: { command: command.name, help: text } };
}

/** The common options stand below the command's own, before any remark that follows them. */
function placed(help: string): string {
  const lines = help.split('\n');
  const last = lines.findLastIndex((line) => line.startsWith('  '));
  return lines.toSpliced(last + 1, 0, COMMON_HELP).join('\n');
}

export function generalHelp(): CommandResult {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  const list = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`).join(
    '\n',
  );
  const text = `nexus-store COMMAND [options]

The store of an offline-first app from the command line: its rows, and the queue of what waits to be sent.

${list}
  ${'help'.padEnd(width)}  help about a command: nexus-store help import

  --version            print the version
  --json               print one JSON document, errors too

Exit codes: 0 done, 1 failed, 2 wrong command line, 3 the server cannot be reached or refuses, 4 dead
letters or conflicts, 5 work is left for later.`;
  return {
    text,
    json: { commands: COMMANDS.map(({ name, summary }) => ({ name, summary })), help: text },
  };
}

/** @throws CliError `usage/unknown-command`, with the nearest command there is */
export function findCommand(name: string): Command {
  const command = COMMANDS.find((known) => known.name === name);
  if (command !== undefined) return command;
  const near = COMMANDS.find((known) => distance(known.name, name) <= 2);
  const hint = near === undefined ? 'see "nexus-store help"' : `did you mean ${near.name}?`;
  throw new CliError('usage/unknown-command', `there is no command ${plain(name, 40)}; ${hint}`);
}

/** How many letters differ, are missing or are too many. */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return Infinity;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j += 1) {
      const replaced = (row[j] as number) + (letter === b[j] ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] as number) + 1, (next[j] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
