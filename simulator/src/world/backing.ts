import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Runtime, Storage } from 'nexus-store';
import { memoryDatabase, memoryStorage, type MemoryDatabase } from 'nexus-store/memory';
import { nodeSqliteClient, sqliteStorage, type SqliteClient } from 'nexus-store/sqlite';
import type { SeededRandom } from 'nexus-store/testing';
import { closable, putDown } from '../power/files.ts';
import type { Survivors } from '../power/medium.ts';
import { WatchedFile } from '../power/watched-file.ts';

/** A handle that can end as with its process: what it was doing is undone, and nobody hears of it. */
export type Handle = Storage & { kill(): void };

/** How the database is kept. */
export interface BackingSettings {
  readonly storage: 'memory' | 'sqlite';
  readonly isRelaxed: boolean;
  readonly checkpointPages: number | undefined;
}

/** Where the records really are: one driver, with a handle for each context. */
export interface Backing {
  handle(runtime: Runtime): Handle;
  /** From now on handles are on another, empty database. */
  replace(): void;
  /** There is a file that a loss of power can tear. */
  readonly power: FilePower | undefined;
  dispose(): void;
}

/** What power does to a file. */
export interface FilePower {
  /** Commits so far: the last one has this number. */
  readonly commits: number;
  /** Calls back in the middle of the next commit or checkpoint, before anyone hears of it. */
  cutAtNext(callback: () => void): void;
  /** The power is gone. @param isInside in the middle of what was done last */
  fail(random: SeededRandom, isInside: boolean): Survivors;
  /** From now on handles are on what is left. Returns one on a copy of it, to look around. */
  restore(survivors: Survivors, random: SeededRandom, runtime: Runtime): Handle;
}

export function backingOf(settings: BackingSettings): Backing {
  return settings.storage === 'sqlite' ? new SqliteBacking(settings) : new MemoryBacking();
}

class MemoryBacking implements Backing {
  readonly power = undefined;
  #database: MemoryDatabase = memoryDatabase();

  handle(): Handle {
    return memoryStorage({ database: this.#database });
  }

  replace(): void {
    this.#database = memoryDatabase();
  }

  dispose(): void {}
}

export const FOLDER_PREFIX = 'nexus-store-sim-';

/** Memory that looks like a folder, where there is such a thing: nothing here is to outlive the run. */
const SHARED_MEMORY = '/dev/shm';

class SqliteBacking implements Backing, FilePower {
  readonly power = this;
  readonly #settings: BackingSettings;
  readonly #folder: string;
  #number = 0;
  #file: WatchedFile;
  /** Handles that were neither closed nor killed, with the file they are on. */
  readonly #live = new Map<Handle, WatchedFile>();
  #cut: (() => void) | undefined;
  #hasPower = true;

  constructor(settings: BackingSettings) {
    this.#settings = settings;
    const parent = existsSync(SHARED_MEMORY) ? SHARED_MEMORY : tmpdir();
    this.#folder = mkdtempSync(join(parent, FOLDER_PREFIX));
    this.#file = this.#watched(this.#nextPath());
  }

  #nextPath(): string {
    this.#number += 1;
    return join(this.#folder, `${this.#number}.db`);
  }

  #watched(path: string, previous?: WatchedFile): WatchedFile {
    const { checkpointPages } = this.#settings;
    const onOperation = (): void => {
      const cut = this.#cut;
      this.#cut = undefined;
      cut?.();
    };
    const pages = checkpointPages === undefined ? {} : { checkpointPages };
    return new WatchedFile(path, { ...pages, onOperation }, previous);
  }

  handle(runtime: Runtime): Handle {
    const file = this.#file;
    const { client, closeAll } = closable(file.client(nodeSqliteClient()));
    const handle = this.#handleOn(file.path, client, runtime, () => {
      this.#live.delete(handle);
      const isLast = ![...this.#live.values()].includes(file);
      // SQLite tidies up when its last connection closes; the end of a process does not.
      if (this.#hasPower && isLast && file === this.#file) this.#leave(file);
      closeAll();
    });
    this.#live.set(handle, file);
    return handle;
  }

  #handleOn(path: string, client: SqliteClient, runtime: Runtime, kill: () => void): Handle {
    const durability = this.#settings.isRelaxed ? 'relaxed' : 'strict';
    const storage = sqliteStorage({ path, client, runtime, durability });
    const handle: Handle = {
      capabilities: storage.capabilities,
      open: (schema) => storage.open(schema),
      transact: (mode, body) => storage.transact(mode, body),
      foreignCommits: () => storage.foreignCommits(),
      close: async () => {
        await storage.close();
        this.#live.delete(handle);
      },
      kill,
    };
    return handle;
  }

  /** Leaves a file as it is, with its log, and goes on with a copy. */
  #leave(file: WatchedFile): void {
    const path = this.#nextPath();
    putDown(path, file.medium.whole(), undefined);
    this.#file = this.#watched(path, file);
  }

  replace(): void {
    this.#file = this.#watched(this.#nextPath());
  }

  dispose(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  // ---- power -------------------------------------------------------------------------------------

  get commits(): number {
    return this.#file.commits;
  }

  cutAtNext(callback: () => void): void {
    this.#cut = callback;
  }

  fail(random: SeededRandom, isInside: boolean): Survivors {
    this.#cut = undefined;
    this.#hasPower = false;
    return this.#file.medium.survivors(random, isInside);
  }

  restore({ files }: Survivors, random: SeededRandom, runtime: Runtime): Handle {
    this.#hasPower = true;
    const copy = this.#nextPath();
    putDown(copy, files, random);
    const path = this.#nextPath();
    putDown(path, files, random);
    this.#file = this.#watched(path);
    const { client, closeAll } = closable(nodeSqliteClient());
    return this.#handleOn(copy, client, runtime, closeAll);
  }
}
