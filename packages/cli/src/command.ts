import type { ParseArgsOptionsConfig } from 'node:util';
import type { ExitCode } from './exit-code.ts';
import type { Options } from './options.ts';
import type { Terminal } from './progress-bar.ts';

/** What a command may use of the world. */
export interface CommandContext {
  readonly options: Options;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where progress and notes go; never results. */
  readonly stderr: Terminal;
  /** Aborts at the first Ctrl-C or termination; the second ends the process. */
  readonly signal: AbortSignal;
  /** Prints the result now, for a command that goes on running. */
  readonly print: (result: CommandResult) => void;
}

/** Printed once: `text` for people, `json` with `--json`. */
export interface CommandResult {
  readonly text: string;
  readonly json: unknown;
  readonly exitCode?: ExitCode;
}

export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** The whole help, without the options every command has. */
  readonly help: string;
  readonly options: ParseArgsOptionsConfig;
  /** Names of the arguments besides options; one that ends in `?` may be left out. */
  readonly arguments?: readonly string[];
  /** Resolves with what is printed; null if everything was printed already. */
  run(context: CommandContext): Promise<CommandResult | null>;
}
