import { createSeededRandom } from 'nexus-store/testing';
import { describe, expect, test } from 'vitest';
import { Medium, type FileEvent } from './medium.ts';

const bytes = (length: number, value: number): Buffer => Buffer.alloc(length, value);

function wrote(offset: number, length: number, value: number): FileEvent {
  return { kind: 'write', file: '-wal', offset, bytes: bytes(length, value) };
}

const SYNC: FileEvent = { kind: 'sync', file: '-wal' };

function medium(log: Buffer): Medium {
  const made = new Medium();
  made.reset(new Map([['-wal', log]]), 0);
  return made;
}

/** What may be left of the log, many times over. */
function left(made: Medium, isInside = false): readonly Buffer[] {
  return Array.from(
    { length: 300 },
    (_, seed) =>
      made.survivors(createSeededRandom(seed, 'test'), isInside).files.get('-wal') ?? bytes(0, 0),
  );
}

describe('a loss of power', () => {
  test('takes nothing of what was synced', () => {
    const made = medium(bytes(100, 1));
    made.add([wrote(100, 5_000, 2), { kind: 'commit', number: 1 }, SYNC]);

    for (const log of left(made)) {
      expect(log).toEqual(Buffer.concat([bytes(100, 1), bytes(5_000, 2)]));
    }
    expect(made.survivors(createSeededRandom(1), false).syncedCommit).toBe(1);
  });

  test('leaves bytes that nobody wrote as they are, also within a sector', () => {
    const made = medium(bytes(700, 1));
    made.add([wrote(700, 3_000, 2)]);

    for (const log of left(made)) expect(log.subarray(0, 700)).toEqual(bytes(700, 1));
  });

  test('may leave all, nothing, a beginning, or later sectors without earlier ones', () => {
    const made = medium(bytes(0, 0));
    made.add([wrote(0, 512 * 20, 2)]);

    const found = left(made);

    expect(found.some((log) => log.length === 0)).toBe(true);
    expect(found.some((log) => log.equals(bytes(512 * 20, 2)))).toBe(true);
    expect(found.some((log) => log.length % 512 > 0)).toBe(true);
    const isReordered = (log: Buffer): boolean => {
      const isWritten = Array.from({ length: Math.ceil(log.length / 512) }, (_, sector) =>
        log.subarray(512 * sector, 512 * (sector + 1)).equals(bytes(512, 2)),
      );
      return (
        isWritten.indexOf(false) >= 0 && isWritten.indexOf(false) < isWritten.lastIndexOf(true)
      );
    };
    expect(found.some(isReordered)).toBe(true);
  });

  test('in the middle of a commit may come before its sync, after it does not', () => {
    const made = medium(bytes(0, 0));
    made.add([wrote(0, 2_000, 2), { kind: 'commit', number: 1 }, SYNC]);

    expect(left(made, true).some((log) => log.length < 2_000)).toBe(true);
    expect(left(made, false).every((log) => log.length === 2_000)).toBe(true);
  });

  test('makes certain what it left: nothing of it is in doubt any more', () => {
    const made = medium(bytes(0, 0));
    made.add([wrote(0, 2_000, 2), { kind: 'commit', number: 1 }]);
    made.add([SYNC]);
    made.add([wrote(2_000, 2_000, 3), { kind: 'commit', number: 2 }]);

    for (const log of left(made)) expect(log.subarray(0, 2_000)).toEqual(bytes(2_000, 2));
    expect(made.survivors(createSeededRandom(1), false).syncedCommit).toBe(1);
  });
});
