import { readFileSync } from 'node:fs';
import { CliError, failureOf } from './cli-error.ts';
import type { CommandContext, CommandResult } from './command.ts';
import { ExitCode } from './exit-code.ts';
import { commandHelp, findCommand, generalHelp } from './help.ts';
import { parseOptions } from './options.ts';

/** The world outside, as far as the command line touches it. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: CommandContext['stderr'];
  readonly signal: AbortSignal;
}

/** Runs one command line. Prints its result or its error, and resolves with the exit code. */
export async function run(args: readonly string[], around: Surroundings): Promise<ExitCode> {
  const isJson = args.includes('--json');
  const print = (result: CommandResult): void => {
    around.stdout.write(`${isJson ? JSON.stringify(result.json) : result.text}\n`);
  };
  try {
    const result = await execute(args, { ...around, print });
    if (result === null) return ExitCode.ok;
    print(result);
    return result.exitCode ?? ExitCode.ok;
  } catch (error) {
    const { code, message, exitCode, facts } = failureOf(error);
    if (isJson) around.stdout.write(`${JSON.stringify({ error: { code, message, ...facts } })}\n`);
    else around.stderr.write(`nexus-store: ${message}\n`);
    if (around.env['NEXUS_STORE_DEBUG']) around.stderr.write(`${traceOf(error)}\n`);
    return exitCode;
  }
}

async function execute(
  args: readonly string[],
  around: Omit<CommandContext, 'options'>,
): Promise<CommandResult | null> {
  const [name, ...rest] = args.filter((arg, index) => index > 0 || arg !== '--json');
  if (name === undefined || name === '--help' || name === '-h') return generalHelp();
  if (name === '--version' || name === '-v' || name === 'version') return versionOf();
  if (name === 'help') {
    const topic = rest.find((arg) => arg !== '--json');
    return topic === undefined ? generalHelp() : commandHelp(findCommand(topic));
  }
  if (name.startsWith('-')) {
    throw new CliError('usage/unknown-command', 'the command comes first; see "nexus-store help"');
  }
  const command = findCommand(name);
  const options = parseOptions(command, rest);
  if (options.isSet('help')) return commandHelp(command);
  return command.run({ ...around, options });
}

function versionOf(): CommandResult {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  return { text: version, json: { version } };
}

/** The whole story, with what caused it. */
function traceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by: ${traceOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
