import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { CASES } from './cases/index.ts';
import { benchArguments } from './harness/arguments.ts';
import { atLeast, notAbove, type BenchCase } from './harness/bench-case.ts';
import { tableOf } from './harness/report.ts';
import { runAll } from './harness/run-all.ts';
import { quantile } from './harness/statistics.ts';
import { newPath } from './support/temporary-file.ts';

const quick = { isQuick: true, rounds: 1, warmUps: 0 } as const;

describe('the benchmarks', () => {
  test.each(CASES.map((bench) => [bench.name, bench] as const))(
    '%s runs and measures every figure',
    { timeout: 60_000 },
    async (_name, bench) => {
      const results = await runAll([bench], quick);

      expect(results.length).toBeGreaterThan(0);
      for (const { ours, reference, isReached } of results) {
        expect(ours).toBeGreaterThan(0);
        if (reference !== null) expect(reference).toBeGreaterThan(0);
        expect(isReached).toBeNull();
      }
    },
  );

  test('names of cases are unique', () => {
    const names = CASES.map(({ name }) => name);

    expect(new Set(names).size).toBe(names.length);
  });
});

describe('the harness', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bench-test-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  test('the ratio is the median of the rounds, and bars are judged by it', async () => {
    const results = await runAll([fixed([10, 20, 90], [20, 20, 100])], {
      isQuick: false,
      rounds: 3,
      warmUps: 1,
    });

    expect(results[0]).toMatchObject({ ours: 20, reference: 20, ratio: 0.9, isReached: true });
    expect(results[1]).toMatchObject({ ours: 20, ratio: null, isReached: false });
    expect(tableOf(results)).toMatch(/0\.90 x.*ok\n.*SHORT/);
  });

  test('the folder of a run is gone afterwards, also when a case fails', async () => {
    let path = '';
    const failing: BenchCase = {
      name: 'failing',
      group: 'test',
      setUp: async (setting) => {
        path = setting.folder;
        newPath(setting, 'x');
        throw new Error('no luck');
      },
    };

    await expect(runAll([failing], quick)).rejects.toThrow('no luck');

    expect(existsSync(path)).toBe(false);
  });

  test('a quantile lies between its neighbours', () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
    expect(quantile([1], 0.99)).toBe(1);
  });

  test('unknown options are refused', () => {
    expect(() => benchArguments(['--fast'])).toThrow(TypeError);
    expect(() => benchArguments(['--rounds', '0'])).toThrow(TypeError);
    expect(benchArguments(['--only', 'a', '--only', 'b']).only).toEqual(['a', 'b']);
  });

  test('the lockfile of the peers names no registry', () => {
    const lock = readFileSync(new URL('../peers/package-lock.json', import.meta.url), 'utf8');

    expect(lock).not.toContain('"resolved"');
  });
});

/** A case whose subjects give these numbers, the first of them also in the warm-up. */
function fixed(ours: readonly number[], reference: readonly number[]): BenchCase {
  const giving = (name: string, numbers: readonly number[]) => {
    let round = -1;
    return {
      name,
      measure: () => {
        const value = numbers[Math.max(0, round)] ?? Number.NaN;
        round += 1;
        return { n: value };
      },
    };
  };
  return {
    name: 'fixed',
    group: 'test',
    setUp: async () => ({
      subjects: [giving('ours', ours), giving('raw', reference)],
      figures: [
        {
          title: 'ratio',
          unit: '/s',
          ours: ['ours', 'n'],
          reference: ['raw', 'n'],
          bar: atLeast(0.8),
        },
        { title: 'value', unit: 'ms', ours: ['ours', 'n'], bar: notAbove(16) },
      ],
    }),
  };
}
