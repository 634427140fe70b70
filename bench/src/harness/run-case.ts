import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { BenchCase, Experiment, Figure, Reading, Sample, Setting } from './bench-case.ts';
import { median, spread } from './statistics.ts';

/** A figure with what was measured for it. */
export interface Result {
  readonly group: string;
  readonly case: string;
  readonly title: string;
  readonly unit: string;
  /** Median over the rounds. */
  readonly ours: number;
  readonly reference: number | null;
  /** Median of the ratios of each round: what slows a whole round down does not touch it. */
  readonly ratio: number | null;
  /** Greatest divided by smallest of ours. */
  readonly spread: number;
  readonly bar: string | null;
  /** null without a bar, and in quick runs, which are too small to judge. */
  readonly isReached: boolean | null;
  readonly rounds: readonly { readonly ours: number; readonly reference: number | null }[];
}

export interface RoundOptions {
  readonly rounds: number;
  readonly warmUps: number;
}

/** Garbage of one subject is not to be collected in the time of the next. */
const collectGarbage = garbageCollector();

/** Measures the subjects of a case in turn, round after round, and works its figures out. */
export async function runCase(
  bench: BenchCase,
  setting: Setting,
  options: RoundOptions,
): Promise<Result[]> {
  const experiment = await bench.setUp(setting);
  try {
    const rounds = await measureRounds(experiment, {
      rounds: setting.isQuick ? options.rounds : (experiment.rounds ?? options.rounds),
      warmUps: setting.isQuick ? options.warmUps : (experiment.warmUps ?? options.warmUps),
    });
    return experiment.figures.map((figure) => resultOf(bench, figure, rounds, setting.isQuick));
  } finally {
    await experiment.close?.();
  }
}

type Round = ReadonlyMap<string, Sample>;

async function measureRounds(
  { subjects }: Experiment,
  { rounds, warmUps }: RoundOptions,
): Promise<Round[]> {
  const measured: Round[] = [];
  // What the set-up left. Later only the young generation is collected: a full collection drops the
  // optimised code of every class that has no living object just then, which a running app has, and the
  // next subject would be measured while it is compiled again.
  collectGarbage({ type: 'major' });
  for (let round = -warmUps; round < rounds; round += 1) {
    const samples = new Map<string, Sample>();
    // Every other round runs backwards: what drifts in time then favours nobody.
    for (const subject of round % 2 === 0 ? subjects : subjects.toReversed()) {
      collectGarbage({ type: 'minor' });
      samples.set(subject.name, await subject.measure());
    }
    if (round >= 0) measured.push(samples);
  }
  return measured;
}

function resultOf(
  bench: BenchCase,
  figure: Figure,
  rounds: readonly Round[],
  isQuick: boolean,
): Result {
  const { title, unit, bar, reference } = figure;
  const ours = rounds.map((round) => readingOf(round, figure.ours));
  const others =
    reference === undefined ? null : rounds.map((round) => readingOf(round, reference));
  const ratio =
    others === null ? null : median(ours.map((value, index) => value / (others[index] ?? 0)));
  const judged = bar?.on === 'ratio' ? ratio : median(ours);
  const isReached =
    bar === undefined || judged === null || isQuick
      ? null
      : bar.is === 'at least'
        ? judged >= bar.value
        : judged <= bar.value;
  return {
    group: bench.group,
    case: bench.name,
    title,
    unit,
    ours: median(ours),
    reference: others === null ? null : median(others),
    ratio,
    spread: spread(ours),
    bar:
      bar === undefined
        ? null
        : `${bar.is === 'at least' ? '>=' : '<='} ${bar.value}${bar.on === 'value' ? ` ${unit}` : ' x'}`,
    isReached,
    rounds: ours.map((value, index) => ({ ours: value, reference: others?.[index] ?? null })),
  };
}

function readingOf(round: Round, [subject, metric]: Reading): number {
  const value = round.get(subject)?.[metric];
  if (value === undefined) throw new Error(`nothing was measured for ${subject}.${metric}`);
  return value;
}

function garbageCollector(): (options: { readonly type: 'major' | 'minor' }) => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as ReturnType<typeof garbageCollector>;
}
