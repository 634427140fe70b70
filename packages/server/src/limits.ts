/** What one request may ask for. Every limit has a default; a client splits what is refused with 413. */
export interface ReceiverLimits {
  /**
   * Bytes of a push, counted as they arrive whatever `Content-Length` says.
   *
   * @defaultValue `4_194_304` (4 MiB)
   */
  readonly maxBodyBytes: number;
  /** @defaultValue `1_000` */
  readonly maxOperations: number;
  /**
   * Levels of nesting in one payload. Three levels of JSON carry one level of a `Map`.
   *
   * @defaultValue `2_000`
   */
  readonly maxDepth: number;
  /**
   * Bytes of one value as JSON text, also after patches.
   *
   * @defaultValue `4_194_304`
   */
  readonly maxValueBytes: number;
  /**
   * Bytes of values in the answer to one push. Once they are reached, the operations that are left are
   * told to come again: a few bytes that ask for a large value many times must not become gigabytes, and
   * clients read 8 MiB.
   *
   * @defaultValue `3_145_728`
   */
  readonly maxAnswerBytes: number;
  /** Rows of one page of a pull. @defaultValue `1_000` */
  readonly maxPageRows: number;
  /** A page ends before it grows beyond this, but never before its first row. @defaultValue `2_097_152` */
  readonly maxPageBytes: number;
  /** Event streams of one principal. @defaultValue `16` */
  readonly maxStreamsPerPrincipal: number;
  /** Event streams in all. @defaultValue `1_000` */
  readonly maxStreams: number;
}

const MIB = 1_048_576;

export const DEFAULT_LIMITS: ReceiverLimits = {
  maxBodyBytes: 4 * MIB,
  maxOperations: 1_000,
  maxDepth: 2_000,
  maxValueBytes: 4 * MIB,
  maxAnswerBytes: 3 * MIB,
  maxPageRows: 1_000,
  maxPageBytes: 2 * MIB,
  maxStreamsPerPrincipal: 16,
  maxStreams: 1_000,
};

/** @throws TypeError naming a limit that is none: it would let everything pass */
export function limitsOf(given: Partial<ReceiverLimits> = {}): ReceiverLimits {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(DEFAULT_LIMITS, name)) throw new TypeError(`there is no limit ${name}`);
    if (value === undefined) continue;
    if (typeof value !== 'number' || !(value >= 0)) {
      throw new TypeError(`limits: ${name} must be a number from 0, not ${String(value)}`);
    }
  }
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...DEFAULT_LIMITS, ...(Object.fromEntries(set) as Partial<ReceiverLimits>) };
}
