import type { Logger } from '../ports/runtime.ts';

/**
 * Tells of a `merge` that cannot be used: once for each command, since it would fail with every write that meets
 * another.
 */
export function mergeFailures(
  logger: Logger,
  collection: string,
): (command: string, error: unknown) => void {
  const told = new Set<string>();
  return (command, error) => {
    if (told.has(command)) return;
    told.add(command);
    const fields = { collection, command, error: String(error) };
    logger.log('error', 'merge failed: commands that wait are sent one by one', fields);
  };
}
