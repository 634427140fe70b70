import { readFileSync } from 'node:fs';
import { CliError } from './cli-error.ts';
import { plain } from './format.ts';

/**
 * A secret from a file or from the environment. It is never stored, printed, or taken from the command
 * line, where others could see it.
 */
export function secret(
  file: string | undefined,
  variable: string,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (file !== undefined) {
    const text = readSecretFile(file).trim();
    if (text !== '') return text;
    throw new CliError('usage/invalid-argument', `${plain(file, 200)} is empty; put the token in`);
  }
  const value = env[variable]?.trim();
  return value === '' ? undefined : value;
}

function readSecretFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CliError(
      'cli/unreadable',
      `the token file ${plain(file, 200)} cannot be read; check the path and its permissions`,
      { cause },
    );
  }
}

/** `token=user` pairs, one on each line or separated by commas. Lines that begin with # are remarks. */
export function tokenPairs(text: string): ReadonlyMap<string, string> {
  const pairs = text
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('#'))
    .flatMap((line) => line.split(','))
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '')
    .map((pair): [string, string] => {
      // A token may end in `=`; the user's id is what follows the last one.
      const at = pair.lastIndexOf('=');
      return [pair.slice(0, Math.max(0, at)).trim(), pair.slice(at + 1).trim()];
    });
  if (pairs.length > 0 && pairs.every(([token, user]) => token !== '' && user !== '')) {
    return new Map(pairs);
  }
  throw new CliError(
    'usage/invalid-argument',
    'tokens are written as token=user, one on each line',
  );
}
