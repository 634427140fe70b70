import { runKills } from './run-kills.ts';
import { describeInChromium } from './vitest.ts';
import { expect, test } from 'vitest';

const KILLS = 3;

describeInChromium('a browser that is killed while it writes', () => {
  test('has every save that resolved when it starts again', async () => {
    const { acknowledged, problems } = await runKills({ kills: KILLS, seed: 20_261_122 });

    expect(problems).toEqual([]);
    expect(acknowledged).toBeGreaterThan(KILLS);
  });
});
