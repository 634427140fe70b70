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
   * Length of one value as JSON text, also after patches.
   *
   * @defaultValue `4_194_304`
   */
  readonly maxValueLength: number;
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
  maxValueLength: 4 * MIB,
  maxPageRows: 1_000,
  maxPageBytes: 2 * MIB,
  maxStreamsPerPrincipal: 16,
  maxStreams: 1_000,
};
