/** The numbers that one measurement of one subject gives, by name. */
export type Sample = Readonly<Record<string, number>>;

/** Something that is measured once in every round, in turn with the other subjects of its case. */
export interface Subject {
  readonly name: string;
  measure(): Promise<Sample> | Sample;
}

/** Which number of which subject. */
export type Reading = readonly [subject: string, metric: string];

/** What a figure must reach. `ratio` judges ours against the reference, `value` ours alone. */
export interface Bar {
  readonly on: 'ratio' | 'value';
  readonly is: 'at least' | 'at most';
  readonly value: number;
}

/** One line of the table. */
export interface Figure {
  readonly title: string;
  readonly unit: string;
  readonly ours: Reading;
  /** Measured in the same rounds: the raw limit, or ours under easier conditions. */
  readonly reference?: Reading;
  readonly bar?: Bar;
}

/** A case made ready to be measured. */
export interface Experiment {
  readonly subjects: readonly Subject[];
  readonly figures: readonly Figure[];
  /** For cases whose single measurement is long or that need many. */
  readonly rounds?: number;
  readonly warmUps?: number;
  close?(): Promise<void> | void;
}

/** What a case may know of the run it is part of. */
export interface Setting {
  readonly isQuick: boolean;
  /** A folder of the run's own, removed at its end. */
  readonly folder: string;
  /** The first number, or the second one in a quick run. */
  size(full: number, quick: number): number;
  /** Makes something expensive once for all cases that ask for it by the same name. */
  shared<T>(name: string, make: () => Promise<T>): Promise<T>;
  /** For the fixtures that take long: shows that something happens. */
  note(text: string): void;
}

export interface BenchCase {
  readonly name: string;
  readonly group: string;
  /** Measured in a Chromium. */
  readonly needsBrowser?: boolean;
  setUp(setting: Setting): Promise<Experiment>;
}

export const atLeast = (value: number): Bar => ({ on: 'ratio', is: 'at least', value });
export const atMost = (value: number): Bar => ({ on: 'ratio', is: 'at most', value });
export const notAbove = (value: number): Bar => ({ on: 'value', is: 'at most', value });
