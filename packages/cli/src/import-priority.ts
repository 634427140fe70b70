import type { SyncPriority } from 'nexus-store';
import { CliError } from './cli-error.ts';
import { plain } from './format.ts';
import { parsePriority, type Options } from './options.ts';

/** How urgent a record is, by its own fields, or what is wrong with them. */
export type PriorityOf = (
  record: Readonly<Record<string, unknown>>,
) => SyncPriority | { readonly problem: string };

/** @throws CliError `usage/...` */
export function priorityOf(options: Options): PriorityOf {
  const usual = options.priority('priority') ?? 'normal';
  const field = options.text('priority-from');
  const maps = options.list('priority-map');
  if (field === undefined) {
    if (maps.length === 0) return () => usual;
    throw new CliError('usage/missing-argument', '--priority-map needs --priority-from FIELD');
  }
  const byValue = parseMap(maps);
  const other = byValue.get('*') ?? usual;
  return (record) => {
    const value = Object.hasOwn(record, field) ? record[field] : undefined;
    const isPlain = typeof value === 'string' || typeof value === 'number';
    if (!isPlain && typeof value !== 'boolean') return other;
    const found = byValue.get(String(value));
    if (found !== undefined || maps.length > 0 || value === '') return found ?? other;
    return {
      problem: `${field} is ${plain(String(value))}, which is no priority: use critical, high, normal or low, or say with --priority-map what it stands for`,
    };
  };
}

/** Without a map the field holds the names of priorities themselves. */
function parseMap(maps: readonly string[]): ReadonlyMap<string, SyncPriority> {
  if (maps.length === 0) {
    return new Map((['critical', 'high', 'normal', 'low'] as const).map((name) => [name, name]));
  }
  return new Map(
    maps
      .flatMap((map) => map.split(','))
      .map((pair): [string, SyncPriority] => {
        const at = pair.lastIndexOf('=');
        if (at > 0) {
          return [
            pair.slice(0, at).trim(),
            parsePriority(pair.slice(at + 1).trim(), '--priority-map'),
          ];
        }
        throw new CliError(
          'usage/invalid-argument',
          `--priority-map takes pairs such as 'broken=critical,*=low', not ${plain(pair)}`,
        );
      }),
  );
}
