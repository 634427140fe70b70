import { describeInChromium } from 'browser-harness/vitest';
import { expect, test } from 'vitest';
import { CASES } from '../cases/index.ts';
import { runAll } from '../harness/run-all.ts';
import { BROWSER_CASES } from './cases.ts';

describeInChromium('the benchmarks in a browser', () => {
  test.each(BROWSER_CASES.map((bench) => [bench.name, bench] as const))(
    '%s runs and measures every figure',
    async (_name, bench) => {
      const results = await runAll([bench], { isQuick: true, rounds: 1, warmUps: 0 });

      expect(results.length).toBeGreaterThan(0);
      for (const { ours, reference, isReached } of results) {
        expect(ours).toBeGreaterThan(0);
        expect(reference).toBeGreaterThan(0);
        expect(isReached).toBeNull();
      }
    },
  );

  test('have names of their own', () => {
    const names = [...CASES, ...BROWSER_CASES].map(({ name }) => name);

    expect(new Set(names).size).toBe(names.length);
  });
});
