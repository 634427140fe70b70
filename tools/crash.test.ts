import { expect, test } from 'vitest';
import { runCrash } from './crash/run-crash.ts';
import { runSignOutCrash } from './crash/sign-out-crash.ts';

const KILLS = 50;

test(
  'fifty kills lose no acknowledged write and apply none twice',
  { timeout: 120_000 },
  async () => {
    const result = await runCrash({ kills: KILLS, seed: 20_261_122 });

    expect(result.problems).toEqual([]);
    const { writer, drain, server } = result.kills;
    expect(writer + drain + server).toBeGreaterThanOrEqual(KILLS);
    expect(Math.min(writer, drain, server)).toBeGreaterThan(0);
    expect(result.acknowledged).toBeGreaterThan(KILLS);
  },
);

test(
  'a kill in the middle of a sign-out brings nothing back that is discarded',
  {
    timeout: 60_000,
  },
  async () => {
    const result = await runSignOutCrash({ kills: 6, seed: 20_261_122 });

    expect(result.problems).toEqual([]);
    expect(result.cutOff).toBeGreaterThan(0);
  },
);
