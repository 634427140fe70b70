/**
 * What the command line is made of, for tools of your own: records from files in constant memory, and a
 * progress bar. The command itself is the binary `nexus-store`.
 *
 * @module
 */
export { ExitCode } from './exit-code.ts';
export { bar, ProgressBar, type Terminal } from './progress-bar.ts';
export { formatOfName, readRecords } from './records/read-records.ts';
export type { ReadRecordsOptions, RecordFormat } from './records/read-records.ts';
export { UnreadableRest, type RecordRead } from './records/record.ts';
