import { existsSync } from 'node:fs';
import type { SqliteClient, SqliteConnection, SqliteStatement } from 'nexus-store/sqlite';
import { atOnce } from './at-once.ts';
import {
  FRAME_HEADER_BYTES,
  LOG_HEADER_BYTES,
  readLogIndex,
  readPart,
  saltOfLog,
  type LogIndex,
} from './log-index.ts';
import { Medium, type FileEvent, type FileName } from './medium.ts';

/** `PRAGMA synchronous`: from NORMAL on a checkpoint waits for the disk, from FULL on a commit does. */
const NORMAL = 1;
const FULL = 2;

export interface WatchOptions {
  /** Checkpoints after so many pages instead of the driver's own number: small runs have them too. */
  readonly checkpointPages?: number;
  /** Called in the moment in which SQLite has done a commit or a checkpoint, before anyone hears of it. */
  readonly onOperation?: (operation: Operation) => void;
}

export interface Operation {
  readonly connection: SqliteConnection;
  readonly isCommit: boolean;
  readonly isCheckpoint: boolean;
}

/**
 * An SQLite file of which is known what has reached the disk. There is no way to ask the system; but what
 * SQLite writes is read from its files after each commit and checkpoint, and when it waits for the disk
 * follows from `PRAGMA synchronous`, which the connection itself is asked for. (Compared with the system
 * calls of the real thing, at each of its levels, by `strace`.)
 */
export class WatchedFile {
  readonly path: string;
  readonly medium: Medium;
  /** Commits that changed something. */
  commits = 0;
  readonly #options: WatchOptions;
  /** What of the log is known to the medium. */
  #seen:
    | { readonly salt: string; readonly frames: number; readonly backfilled: number }
    | undefined;

  /** Another file holds what this one held, and goes on from there. */
  #isLeft = false;

  /** @param previous a file whose process was killed, and of which this one is a copy */
  constructor(path: string, options: WatchOptions = {}, previous?: WatchedFile) {
    this.path = path;
    this.#options = options;
    this.medium = previous?.medium ?? new Medium();
    this.commits = previous?.commits ?? 0;
    if (previous === undefined) this.#readWhole();
    else previous.#isLeft = true;
  }

  /** @param inner a client that answers at once, as SQLite within the process does */
  client(inner: SqliteClient): SqliteClient {
    return {
      encrypted: inner.encrypted,
      open: (path, options) => this.#watched(atOnce(inner.open(path, options))),
    };
  }

  #watched(connection: SqliteConnection): SqliteConnection {
    const { checkpointPages } = this.#options;
    const synchronous = atOnce(connection.prepare('PRAGMA synchronous'));
    const look = (): void => this.#look(connection, Number(atOnce(synchronous.all([]))[0]?.[0]));
    return {
      exec: (sql) => {
        const pages = `wal_autocheckpoint = ${checkpointPages}`;
        atOnce(
          connection.exec(
            checkpointPages === undefined ? sql : sql.replace(/wal_autocheckpoint = \d+/, pages),
          ),
        );
        look();
      },
      prepare: (sql) => {
        const statement = atOnce(connection.prepare(sql));
        look();
        return WRITES.test(sql) ? watchedStatement(statement, look) : statement;
      },
      close: () => {
        look();
        atOnce(connection.close());
        // The last one to close moves the log into the file, waits for the disk, and deletes the log.
        const isLast = this.#seen !== undefined && !existsSync(`${this.path}-wal`);
        if (isLast && !this.#isLeft) this.#readWhole();
      },
    };
  }

  /** The files as they are, for certain: nothing is under way. */
  #readWhole(): void {
    const files = (['', '-wal'] as const).map((file): [FileName, Buffer | undefined] => [
      file,
      readPart(this.path + file, 0),
    ]);
    this.medium.reset(new Map(files), this.commits);
    this.#seen = undefined;
  }

  /** Finds out what was done since the last look, in the order in which SQLite does it. */
  #look(connection: SqliteConnection, level: number): void {
    if (this.#isLeft) return;
    const index = readLogIndex(this.path);
    const log = this.#seen === undefined ? this.medium.log : undefined;
    if (index === undefined) {
      // Before there is a log, SQLite waits for the disk at every step.
      if (this.#seen === undefined && log === undefined) this.#readWhole();
      return;
    }
    // A log that was there before: SQLite has just counted what is whole of it.
    if (saltOfLog(log) === index.salt) this.#seen = { ...index, backfilled: 0 };
    const written = this.#framesSince(index, level);
    const isCommit = written.length > 0;
    if (isCommit) this.commits += 1;
    const moved = this.#pagesSince(index, level);
    const isCheckpoint = moved.length > 0;
    this.#seen = index;
    if (!isCommit && !isCheckpoint) return;
    const mark: FileEvent[] = isCommit ? [{ kind: 'commit', number: this.commits }] : [];
    const sync: FileEvent[] = isCommit && level >= FULL ? [{ kind: 'sync', file: '-wal' }] : [];
    this.medium.add([...written, ...mark, ...sync, ...moved]);
    this.#options.onOperation?.({ connection, isCommit, isCheckpoint });
  }

  #framesSince({ salt, frames, pageSize }: LogIndex, level: number): FileEvent[] {
    const events: FileEvent[] = [];
    const known = this.#seen?.salt === salt ? this.#seen.frames : 0;
    if (frames === known) return events;
    // With the first frame comes the header, even if it is to say what a torn one says already.
    if (known === 0) {
      events.push(this.#written('-wal', 0, LOG_HEADER_BYTES));
      if (level >= NORMAL) events.push({ kind: 'sync', file: '-wal' });
    }
    const frameBytes = FRAME_HEADER_BYTES + pageSize;
    for (let frame = known; frame < frames; frame += 1) {
      events.push(this.#written('-wal', LOG_HEADER_BYTES + frame * frameBytes, frameBytes));
    }
    return events;
  }

  #written(file: FileName, offset: number, length: number): FileEvent {
    const bytes = readPart(this.path + file, offset, length);
    if (bytes?.length !== length) throw new Error(`${file} is shorter than its index says`);
    return { kind: 'write', file, offset, bytes };
  }

  /** What a checkpoint has moved from the log into the file. */
  #pagesSince({ salt, frames, backfilled, pageSize }: LogIndex, level: number): FileEvent[] {
    const known = this.#seen?.salt === salt ? this.#seen.backfilled : 0;
    if (backfilled <= known) return [];
    const pages = new Map<number, Buffer>();
    const frameBytes = FRAME_HEADER_BYTES + pageSize;
    for (let frame = known; frame < backfilled; frame += 1) {
      const at = LOG_HEADER_BYTES + frame * frameBytes;
      const bytes = readPart(`${this.path}-wal`, at, frameBytes) as Buffer;
      pages.set(bytes.readUInt32BE(0), bytes.subarray(FRAME_HEADER_BYTES));
    }
    const writes = [...pages]
      .toSorted(([a], [b]) => a - b)
      .map(([page, bytes]): FileEvent => {
        return { kind: 'write', file: '', offset: (page - 1) * pageSize, bytes };
      });
    if (level < NORMAL) return writes;
    // Only a log that is moved whole is waited for: it will be written over.
    const end: FileEvent[] = backfilled === frames ? [{ kind: 'sync', file: '' }] : [];
    return [{ kind: 'sync', file: '-wal' }, ...writes, ...end];
  }
}

/** What may bring something to the files. */
const WRITES = /^COMMIT|wal_checkpoint\(PASSIVE\)/;

function watchedStatement(statement: SqliteStatement, look: () => void): SqliteStatement {
  return {
    run: (parameters) => {
      atOnce(statement.run(parameters));
      look();
    },
    all: (parameters) => {
      const rows = atOnce(statement.all(parameters));
      look();
      return rows;
    },
  };
}
