import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** What SQLite keeps in shared memory about its log (sqlite.org/walformat.html). */
export interface LogIndex {
  readonly pageSize: number;
  /** Frames that are committed. */
  readonly frames: number;
  /** Frames that are in the database file as well. */
  readonly backfilled: number;
  /** Another one each time the log begins anew. */
  readonly salt: string;
}

const INDEX_BYTES = 100;
const COPY_BYTES = 48;
const FORMAT = 3_007_000;
export const LOG_HEADER_BYTES = 32;
export const FRAME_HEADER_BYTES = 24;

/** Undefined if there is no log in use. */
export function readLogIndex(path: string): LogIndex | undefined {
  const bytes = readPart(`${path}-shm`, 0, INDEX_BYTES);
  if (bytes === undefined || bytes.length < INDEX_BYTES || bytes[12] !== 1) return undefined;
  // Two copies that agree, or it is what a loss of power has left there.
  const isWhole = bytes.subarray(0, COPY_BYTES).equals(bytes.subarray(COPY_BYTES, 2 * COPY_BYTES));
  if (!isWhole || bytes.readUInt32LE(0) !== FORMAT) return undefined;
  const size = bytes.readUInt16LE(14);
  return {
    // 65,536 does not fit and is written as 1.
    pageSize: size === 1 ? 65_536 : size,
    frames: bytes.readUInt32LE(16),
    backfilled: bytes.readUInt32LE(96),
    salt: bytes.toString('hex', 32, 40),
  };
}

export function saltOfLog(log: Buffer | undefined): string | undefined {
  return log === undefined || log.length < LOG_HEADER_BYTES
    ? undefined
    : log.toString('hex', 16, 24);
}

/** Undefined if there is no such file; shorter if it ends before. */
export function readPart(path: string, offset: number, length?: number): Buffer | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return undefined;
  }
  try {
    const bytes = Buffer.alloc(length ?? Math.max(0, fstatSync(file).size - offset));
    const count = readSync(file, bytes, 0, bytes.length, offset);
    return bytes.subarray(0, count);
  } finally {
    closeSync(file);
  }
}
