import { keepInCorpus, runCorpus } from './corpus.ts';
import { runMutants } from './mutants/run-mutants.ts';
import { simOptions, USAGE, type SimOptions } from './options.ts';
import { describeFailure } from './report.ts';
import { runProcesses } from './processes/run-processes.ts';
import { runSeeds } from './run-seeds.ts';
import { serveSeeds } from './worker.ts';

process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1;

/** True if nothing was found that must not be; with mutants, if each was caught. */
async function main(args: readonly string[]): Promise<boolean> {
  const options = simOptions(args);
  if (options.isWorker) return serveSeeds(options);
  if (options.help) {
    console.log(USAGE);
    return true;
  }
  const { seed, seeds, corpus, mutants, processes } = options;
  if (processes !== undefined) return runProcesses(processes);
  if (seed !== undefined && seeds === undefined) return replay(options, seed);
  const isCorpusClean = !corpus || (await runCorpus(options));
  // Without any wish some seeds are run.
  const wantsSeeds = seeds !== undefined || (!corpus && mutants === undefined);
  const areSeedsClean = !wantsSeeds || (await runSeeds(options));
  const areMutantsCaught = mutants === undefined || (await runMutants(mutants, options.ignored));
  return isCorpusClean && areSeedsClean && areMutantsCaught;
}

async function replay(options: SimOptions, seed: number): Promise<boolean> {
  const failure = await describeFailure(seed, options, { isLong: true });
  if (failure === undefined) {
    console.log(`seed ${seed}: clean`);
    return true;
  }
  console.log(failure.text);
  if (options.keep !== undefined) await keepInCorpus(failure.plan, failure.rule, options.keep);
  return false;
}
