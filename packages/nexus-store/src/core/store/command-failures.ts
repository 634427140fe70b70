import type { Logger } from '../ports/runtime.ts';

/**
 * Tells of an app's function for commands that cannot be used: once for each command, since it would fail with
 * every write, and every pull, that meets another.
 */
export function commandFailures(
  logger: Logger,
  collection: string,
  message: string,
): (command: string, error: unknown) => void {
  const told = new Set<string>();
  return (command, error) => {
    if (told.has(command)) return;
    told.add(command);
    logger.log('error', message, { collection, command, error: String(error) });
  };
}
