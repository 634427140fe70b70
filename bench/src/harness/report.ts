import type { Result } from './run-case.ts';

const COLUMNS = ['case', 'ours', 'reference', 'ratio', 'spread', 'bar', ''] as const;

/** A table for people: one line for each figure. */
export function tableOf(results: readonly Result[]): string {
  const lines = results.map((result) => [
    result.title,
    `${shown(result.ours)} ${result.unit}`,
    result.reference === null ? '' : shown(result.reference),
    result.ratio === null ? '' : `${result.ratio.toFixed(2)} x`,
    Number.isFinite(result.spread) ? result.spread.toFixed(2) : '',
    result.bar ?? '',
    result.isReached === null ? '' : result.isReached ? 'ok' : 'SHORT',
  ]);
  const widths = COLUMNS.map((name, column) =>
    Math.max(name.length, ...lines.map((line) => (line[column] ?? '').length)),
  );
  return [[...COLUMNS], ...lines]
    .map((line) =>
      line
        .map((cell, column) =>
          column === 0 || column >= 5
            ? cell.padEnd(widths[column] ?? 0)
            : cell.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Three digits that say something. */
function shown(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}
