import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchCase, Setting } from './bench-case.ts';
import { runCase, type Result, type RoundOptions } from './run-case.ts';

export interface RunOptions extends RoundOptions {
  readonly isQuick: boolean;
  readonly onCase?: (bench: BenchCase) => void;
  readonly onResults?: (results: readonly Result[]) => void;
  readonly note?: (text: string) => void;
}

/** Runs cases one after another in a folder that is gone afterwards. */
export async function runAll(
  cases: readonly BenchCase[],
  options: RunOptions,
): Promise<readonly Result[]> {
  const folder = mkdtempSync(join(tmpdir(), 'nexus-store-bench-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  const made = new Map<string, Promise<unknown>>();
  const setting: Setting = {
    isQuick: options.isQuick,
    folder,
    size: (full, quick) => (options.isQuick ? quick : full),
    shared: <T>(name: string, make: () => Promise<T>): Promise<T> => {
      const known = made.get(name) ?? make();
      made.set(name, known);
      return known as Promise<T>;
    },
    note: options.note ?? (() => {}),
  };
  const results: Result[] = [];
  try {
    for (const bench of cases) {
      options.onCase?.(bench);
      const found = await runCase(bench, setting, options);
      options.onResults?.(found);
      results.push(...found);
    }
  } finally {
    remove();
    process.off('exit', remove);
  }
  return results;
}
