import { parseArgs } from 'node:util';

export interface SimOptions {
  /** Undefined: as many as `seeds` says. */
  readonly seed: number | undefined;
  readonly seeds: number | undefined;
  readonly ops: number;
  readonly workers: number;
  /** The driver of every plan. Undefined: as the plan says. */
  readonly storage: 'memory' | 'sqlite' | undefined;
  readonly ignored: readonly string[];
  readonly stopsAtFirst: boolean;
  readonly corpus: boolean;
  /** A note: the seed's shrunk plan joins the corpus. */
  readonly keep: string | undefined;
  /** `all`, `sample`, or the name of one. */
  readonly mutants: string | undefined;
  /** Seconds for which real processes share one file. */
  readonly processes: number | undefined;
  readonly isWorker: boolean;
  readonly help: boolean;
}

export const USAGE = `npm run sim -- [options]

  --seeds N         run N seeds, from 1 or from --seed (default 100)
  --seed S          alone: run this seed with a readable trace, shrunk if it fails
  --ops N           steps of a plan (default 300)
  --workers N       processes (default 2)
  --storage DRIVER  memory or sqlite for every seed (default: sqlite for one in 25)
  --ignore A,B      rules that are known to be broken
  --first           stop at the first failure
  --corpus          run the plans that once failed
  --keep NOTE       with --seed: add its shrunk plan to the corpus
  --processes S     several real processes on one SQLite file for S seconds, some of them killed
  --mutants WHICH   plant bugs and see them caught: all, sample, or the name of one
`;

/** @throws TypeError for an option that is none */
export function simOptions(args: readonly string[]): SimOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string' },
      ops: { type: 'string', default: '300' },
      workers: { type: 'string', default: '2' },
      storage: { type: 'string' },
      ignore: { type: 'string', default: '' },
      first: { type: 'boolean', default: false },
      corpus: { type: 'boolean', default: false },
      keep: { type: 'string' },
      mutants: { type: 'string' },
      processes: { type: 'string' },
      worker: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  return {
    seed: wholeNumber(values.seed, 'seed'),
    seeds: wholeNumber(values.seeds, 'seeds'),
    ops: wholeNumber(values.ops, 'ops') ?? 300,
    workers: wholeNumber(values.workers, 'workers') ?? 2,
    storage: driverOf(values.storage),
    ignored: values.ignore.split(',').filter((rule) => rule !== ''),
    stopsAtFirst: values.first,
    corpus: values.corpus,
    keep: values.keep,
    mutants: values.mutants,
    processes: wholeNumber(values.processes, 'processes'),
    isWorker: values.worker,
    help: values.help,
  };
}

function driverOf(text: string | undefined): SimOptions['storage'] {
  if (text === undefined || text === 'memory' || text === 'sqlite') return text;
  throw new TypeError(`--storage is memory or sqlite, not ${text}`);
}

function wholeNumber(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new TypeError(`--${name} must be a whole number, not ${text}`);
}
