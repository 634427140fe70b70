import { isNexusError } from 'nexus-store';
import { ExitCode } from './exit-code.ts';

export type CliErrorCode =
  | 'cli/entry-not-found'
  | 'cli/exists'
  | 'cli/interrupted'
  | 'cli/invalid-record'
  | 'cli/no-database'
  | 'cli/not-cancelled'
  | 'cli/port-in-use'
  | 'cli/unreadable'
  | 'cli/unwritable'
  | 'storage/busy'
  | 'storage/corrupt'
  | 'storage/quota-exceeded'
  | 'storage/read-only'
  | 'storage/unavailable'
  | 'storage/version-too-new'
  | 'usage/invalid-argument'
  | 'usage/missing-argument'
  | 'usage/unknown-command'
  | 'usage/unknown-option'
  | 'usage/unknown-priority';

/** A failure with one line for people that says what to do. */
export class CliError extends Error {
  readonly code: CliErrorCode;
  readonly exitCode: ExitCode;
  /** Facts for `--json`, beside code and message. */
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(
    code: CliErrorCode,
    message: string,
    options: {
      readonly exitCode?: ExitCode;
      readonly facts?: Readonly<Record<string, unknown>>;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CliError';
    this.code = code;
    this.exitCode =
      options.exitCode ?? (code.startsWith('usage/') ? ExitCode.usage : ExitCode.failed);
    this.facts = options.facts ?? {};
  }
}

/** Any failure as what is printed for it. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly exitCode: ExitCode;
  readonly facts: Readonly<Record<string, unknown>>;
}

const ADVICE: Readonly<Record<string, string>> = {
  'storage/busy': 'Close the program that uses the database, or try again later.',
  'storage/corrupt':
    'Copy the file before anything else; "sqlite3 FILE .recover" may save its rows.',
  'storage/quota-exceeded': 'Free some space and run the same command again: nothing was lost.',
  'storage/read-only': 'Use a folder you may write to, or change the permissions.',
  'storage/version-too-new': 'Update nexus-store.',
};

export function failureOf(error: unknown): Failure {
  if (error instanceof CliError) {
    return {
      code: error.code,
      message: error.message,
      exitCode: error.exitCode,
      facts: error.facts,
    };
  }
  if (isNexusError(error)) {
    const advice = ADVICE[error.code];
    const exitCode = error.code.startsWith('usage/') ? ExitCode.usage : ExitCode.failed;
    const message = advice === undefined ? error.message : `${sentence(error.message)} ${advice}`;
    return { code: error.code, message, exitCode, facts: {} };
  }
  const reason = error instanceof Error ? error.message : String(error);
  return {
    code: 'cli/internal',
    message: `${sentence(`this is a bug in nexus-store: ${reason}`)} Set NEXUS_STORE_DEBUG=1 to see where, and please report it.`,
    exitCode: ExitCode.failed,
    facts: {},
  };
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
