// `npm run crash:browser -- --kills N [--seed S]`: kills a real Chromium in the middle of strict saves, again
// and again on one profile, and proves that every save that had resolved is there.
import { parseArgs } from 'node:util';
import { ensureChromium } from './chromium.ts';
import { runKills } from './run-kills.ts';

const { values } = parseArgs({
  options: { kills: { type: 'string' }, seed: { type: 'string' } },
});
const kills = wholeNumber(values.kills ?? '30', '--kills');
const seed = wholeNumber(values.seed ?? String(Date.now() % 1_000_000), '--seed');
const { missing } = ensureChromium();
if (missing !== undefined) {
  console.error(`crash:browser: ${missing}`);
  process.exit(2);
}

console.log(`crash:browser: ${kills} kills, seed ${seed}`);
const { acknowledged, problems } = await runKills({
  kills,
  seed,
  onProgress: (count) => console.log(`  ${count} kills`),
});
if (problems.length === 0) {
  console.log(`Every acknowledged save of ${acknowledged} notes was there after every kill.`);
} else {
  console.error(`${problems.length} problems (--kills ${kills} --seed ${seed}):`);
  for (const problem of problems) console.error(`  ${problem}`);
  process.exitCode = 1;
}

function wholeNumber(text: string, option: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  console.error(`crash:browser: ${option} must be a whole number from 1, not ${text}`);
  process.exit(2);
}
