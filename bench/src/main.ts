/**
 * Measures nexus-store against the raw limits of the machine, in one process and in turn, and prints
 * one table. `bench/README.md` says how to read it.
 */
import { writeFileSync } from 'node:fs';
import { ensureChromium } from 'browser-harness';
import { benchArguments, USAGE } from './harness/arguments.ts';
import { machine } from './harness/machine.ts';
import { tableOf } from './harness/report.ts';
import { runAll } from './harness/run-all.ts';
import type { BenchCase } from './harness/bench-case.ts';
import { CASES } from './cases/index.ts';
import { BROWSER_CASES } from './browser/cases.ts';
import { BROWSER_PEER_CASES } from './browser/peer-cases.ts';
import { installPeers } from './peers/install-peers.ts';
import { PEER_CASES } from './peers/peer-cases.ts';

// An exit on purpose runs the handlers that remove what is temporary; a signal alone does not.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<void> {
  const options = readArguments(args);
  if (options === undefined) return;
  if (options.hasPeers && !options.isList) installPeers();
  const known = [
    ...CASES,
    ...BROWSER_CASES,
    ...(options.hasPeers ? [...PEER_CASES, ...BROWSER_PEER_CASES] : []),
  ];
  const wanted = withoutMissingBrowser(known.filter((bench) => isWanted(bench, options.only)));
  if (options.isList) {
    for (const { name, group } of wanted) console.log(`${group.padEnd(12)} ${name}`);
    return;
  }
  if (wanted.length === 0) return fail(`no case is named ${options.only.join(' or ')}`);
  const about = machine();
  console.log(about.text);
  const results = await runAll(wanted, {
    isQuick: options.isQuick,
    rounds: options.rounds ?? (options.isQuick ? 1 : 5),
    warmUps: options.isQuick ? 0 : 2,
    onCase: ({ name }) => console.error(`... ${name}`),
    onResults: (found) => console.log(`\n${tableOf(found)}`),
    note: (text) => console.error(`    ${text}`),
  });
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify({ machine: about, results }, null, 2)}\n`);
  }
  const short = results.filter(({ isReached }) => isReached === false);
  console.log(`\n${results.length} figures, ${short.length} short of their bar`);
  for (const { title } of short) console.log(`  SHORT  ${title}`);
}

function readArguments(args: readonly string[]): ReturnType<typeof benchArguments> | undefined {
  try {
    const options = benchArguments(args);
    if (!options.isHelp) return options;
    console.log(USAGE);
  } catch (error) {
    fail(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  }
  return undefined;
}

/** Where there is no Chromium the rest is measured all the same, and what is missing is said. */
function withoutMissingBrowser(wanted: readonly BenchCase[]): readonly BenchCase[] {
  const needy = wanted.filter(({ needsBrowser }) => needsBrowser === true);
  const { missing } = needy.length === 0 ? {} : ensureChromium();
  if (missing === undefined) return wanted;
  console.error(`${needy.length} cases are left out, for want of a browser: ${missing}`);
  return wanted.filter((bench) => !needy.includes(bench));
}

function isWanted({ name, group }: BenchCase, only: readonly string[]): boolean {
  return only.length === 0 || only.some((part) => name.includes(part) || group.includes(part));
}

function fail(message: string): void {
  console.error(`bench: ${message}`);
  process.exitCode = 2;
}
