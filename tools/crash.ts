// `npm run crash -- --kills N [--seed S]`: kills real processes at random moments, again and again, and
// proves that no acknowledged write is lost or applied twice. A seed repeats the writes and the waits
// before the kills; the operating system's own timing it cannot repeat.
import { parseArgs } from 'node:util';
import { runCrash } from './crash/run-crash.ts';
import { runSignOutCrash } from './crash/sign-out-crash.ts';

const { values } = parseArgs({
  options: { kills: { type: 'string' }, seed: { type: 'string' } },
});
const kills = wholeNumber(values.kills ?? '200', '--kills');
const seed = wholeNumber(values.seed ?? String(Date.now() % 1_000_000), '--seed');

console.log(`crash: ${kills} kills, seed ${seed}`);
let shown = 0;
const result = await runCrash({
  kills,
  seed,
  onProgress: (count) => {
    if (count < shown + 25) return;
    shown = count;
    console.log(`  ${count} kills`);
  },
});
const { writer, drain, server } = result.kills;
console.log(`killed: ${writer} writers, ${drain} drains, ${server} servers`);
console.log(
  `writes: ${result.attempted} begun, ${result.acknowledged} acknowledged, ${result.silent} stored without an answer, ${result.refused} refused`,
);
console.log(
  `entries: ${result.arrived} arrived, ${result.arrivedMeanwhile} of them between the kills; ${(result.durationMs / 1_000).toFixed(1)} s`,
);
if (result.problems.length === 0) {
  console.log('Every acknowledged write is at the server exactly once, and nothing else is.');
} else {
  console.error(
    `${result.problems.length} problems (npm run crash -- --kills ${kills} --seed ${seed}):`,
  );
  for (const problem of result.problems) console.error(`  ${problem}`);
  console.error(`The databases and the ledger are in ${result.folder}`);
  process.exitCode = 1;
}

const signOuts = Math.max(5, Math.ceil(kills / 10));
const signOut = await runSignOutCrash({ kills: signOuts, seed });
console.log(
  `sign-outs: ${signOuts} killed, ${signOut.cutOff} of them while something was left to erase`,
);
for (const problem of signOut.problems) console.error(`  ${problem}`);
if (signOut.problems.length > 0) process.exitCode = 1;

function wholeNumber(text: string, option: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  console.error(`crash: ${option} must be a whole number from 1, not ${text}`);
  process.exit(2);
}
