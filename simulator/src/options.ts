import { parseArgs } from 'node:util';

export interface SimOptions {
  /** Undefined: as many as `seeds` says. */
  readonly seed: number | undefined;
  readonly seeds: number | undefined;
  readonly ops: number;
  readonly workers: number;
  readonly ignored: readonly string[];
  readonly stopsAtFirst: boolean;
  readonly corpus: boolean;
  /** A note: the seed's shrunk plan joins the corpus. */
  readonly keep: string | undefined;
  /** `all`, `sample`, or the name of one. */
  readonly mutants: string | undefined;
  readonly isWorker: boolean;
  readonly help: boolean;
}

export const USAGE = `npm run sim -- [options]

  --seeds N         run N seeds, from 1 or from --seed (default 100)
  --seed S          alone: run this seed with a readable trace, shrunk if it fails
  --ops N           steps of a plan (default 300)
  --workers N       processes (default 2)
  --ignore A,B      rules that are known to be broken
  --first           stop at the first failure
  --corpus          run the plans that once failed
  --keep NOTE       with --seed: add its shrunk plan to the corpus
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
      ignore: { type: 'string', default: '' },
      first: { type: 'boolean', default: false },
      corpus: { type: 'boolean', default: false },
      keep: { type: 'string' },
      mutants: { type: 'string' },
      worker: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  return {
    seed: wholeNumber(values.seed, 'seed'),
    seeds: wholeNumber(values.seeds, 'seeds'),
    ops: wholeNumber(values.ops, 'ops') ?? 300,
    workers: wholeNumber(values.workers, 'workers') ?? 2,
    ignored: values.ignore.split(',').filter((rule) => rule !== ''),
    stopsAtFirst: values.first,
    corpus: values.corpus,
    keep: values.keep,
    mutants: values.mutants,
    isWorker: values.worker,
    help: values.help,
  };
}

function wholeNumber(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new TypeError(`--${name} must be a whole number, not ${text}`);
}
