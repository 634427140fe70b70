import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { PRIORITIES, type Duration, type SyncPriority } from 'nexus-store';
import { CliError } from './cli-error.ts';
import type { Command } from './command.ts';
import { plain } from './format.ts';

/** What every command understands. */
export const COMMON_OPTIONS: ParseArgsOptionsConfig = {
  help: { type: 'boolean', short: 'h' },
  json: { type: 'boolean' },
};

/** The options and arguments of one command line, read with errors that name the option. */
export class Options {
  readonly #command: string;
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #arguments: Readonly<Record<string, string>>;

  constructor(
    command: string,
    values: Readonly<Record<string, unknown>>,
    named: Readonly<Record<string, string>>,
  ) {
    this.#command = command;
    this.#values = values;
    this.#arguments = named;
  }

  isSet(name: string): boolean {
    return this.#values[name] === true;
  }

  text(name: string): string | undefined {
    const value = this.#values[name];
    if (value === '') throw this.#invalid(name, 'must not be empty');
    return typeof value === 'string' ? value : undefined;
  }

  list(name: string): readonly string[] {
    const value = this.#values[name];
    return Array.isArray(value) ? (value as string[]) : [];
  }

  /** @throws CliError `usage/missing-argument` */
  required(name: string, example: string): string {
    const value = this.text(name);
    if (value !== undefined) return value;
    throw new CliError(
      'usage/missing-argument',
      `${this.#command} needs --${name}, for example --${name} ${example}`,
    );
  }

  /** A whole number of at least `least`. */
  count(name: string, least: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
    throw this.#invalid(name, `must be a whole number from ${least}, not ${plain(text)}`);
  }

  /** A time, of at least `leastMs` milliseconds. */
  duration(name: string, leastMs = 0): Duration | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (/^\d+(\.\d+)?(ms|s|m|h|d)$/.test(text)) {
      if (leastMs === 0 || Number.parseFloat(text) > 0) return text as Duration;
      throw this.#invalid(name, 'must be more than nothing');
    }
    throw this.#invalid(name, `must be a time such as 25s, 500ms or 2m, not ${plain(text)}`);
  }

  priority(name: string): SyncPriority | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    return parsePriority(text, `--${name}`);
  }

  oneOf<Choice extends string>(name: string, choices: readonly Choice[]): Choice | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const choice = choices.find((candidate) => candidate === text);
    if (choice !== undefined) return choice;
    throw this.#invalid(name, `must be ${choices.join(', ')}, not ${plain(text)}`);
  }

  argument(name: string): string | undefined {
    return this.#arguments[name];
  }

  #invalid(name: string, reason: string): CliError {
    return new CliError('usage/invalid-argument', `--${name} ${reason}`);
  }
}

/** @throws CliError `usage/unknown-priority` */
export function parsePriority(text: string, where: string): SyncPriority {
  const priority = PRIORITIES.find((known) => known === text);
  if (priority !== undefined) return priority;
  throw new CliError(
    'usage/unknown-priority',
    `${where}: ${plain(text)} is no priority; use ${PRIORITIES.join(', ')}`,
  );
}

/** @throws CliError `usage/...`, in one line that says what to do */
export function parseOptions(command: Command, args: readonly string[]): Options {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { ...COMMON_OPTIONS, ...command.options },
      allowPositionals: true,
      strict: true,
    });
    const named = values['help'] === true ? {} : namedArguments(command, positionals);
    return new Options(command.name, values, named);
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw optionError(command, error);
  }
}

function namedArguments(command: Command, given: readonly string[]): Record<string, string> {
  const names = command.arguments ?? [];
  const named: Record<string, string> = {};
  names.forEach((name, index) => {
    const value = given[index];
    const isOptional = name.endsWith('?');
    if (value !== undefined) named[isOptional ? name.slice(0, -1) : name] = value;
    else if (!isOptional) {
      throw new CliError(
        'usage/missing-argument',
        `${command.name} needs ${name}; see "nexus-store help ${command.name}"`,
      );
    }
  });
  const surplus = given[names.length];
  if (surplus === undefined) return named;
  throw new CliError(
    'usage/invalid-argument',
    `${command.name} does not take ${plain(JSON.stringify(surplus))}; put values with spaces in quotes`,
  );
}

/** Node's message is its own; what matters is which option it was. */
function optionError(command: Command, error: unknown): CliError {
  const reason = error instanceof Error ? error.message : String(error);
  const help = `see "nexus-store help ${command.name}"`;
  const option = /'(-[^' =<]*)/.exec(reason)?.[1] ?? 'an option';
  if (option === '--token') {
    return new CliError(
      'usage/unknown-option',
      `a token on the command line could be seen by other users: put it into the environment or a file (${help})`,
    );
  }
  if ((error as { code?: unknown }).code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') {
    return new CliError(
      'usage/unknown-option',
      `${command.name} has no option ${plain(option)}; ${help}`,
    );
  }
  const isMissing = reason.includes('argument missing') || reason.includes('ambiguous');
  return new CliError(
    isMissing ? 'usage/missing-argument' : 'usage/invalid-argument',
    isMissing
      ? `${plain(option)} needs a value; ${help}`
      : `${plain(option)} does not take a value; ${help}`,
  );
}
