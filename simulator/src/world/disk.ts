import type { Runtime } from 'nexus-store';
import type { SeededRandom } from 'nexus-store/testing';
import type { Survivors } from '../power/medium.ts';
import { backingOf, type Backing, type BackingSettings, type Handle } from './backing.ts';
import { differences, readAll, type Tables } from './comparison.ts';
import {
  keyOfRecord,
  seqOfPosition,
  type CountersOnDisk,
  type EntryOnDisk,
  type GateOnDisk,
  type LeaseOnDisk,
  type RowOnDisk,
} from './records.ts';

/** A change of a record, as the storage port puts it. */
export type Change =
  | { readonly table: string; readonly put: Readonly<Record<string, unknown>> }
  | { readonly table: string; readonly delete: readonly (string | number)[] };

/** A record before and after a commit. */
export interface Changed<R> {
  readonly before: R | undefined;
  readonly after: R | undefined;
}

/** What one commit changed. */
export interface Commit {
  readonly entries: readonly Changed<EntryOnDisk>[];
  readonly rows: readonly Changed<RowOnDisk>[];
  readonly leases: readonly Changed<LeaseOnDisk>[];
  readonly meta: readonly Changed<{ readonly name: string; readonly value: string }>[];
}

interface Undo {
  readonly steps: readonly {
    readonly table: string;
    readonly key: string;
    readonly before: unknown;
  }[];
  /** The number of the commit in the file, where there is one. */
  readonly number: number;
}

/** What was taken back. */
export interface Lost {
  /** The seqs of the entries that these commits touched: made, changed, claimed or took away. */
  readonly touched: ReadonlySet<number>;
  /** What the server had asked for was in one of them. */
  readonly hasGate: boolean;
}

/** The record `partitions`. */
export interface Numbers {
  readonly numbers: Readonly<Record<string, number>>;
}

/** How a number is called that is nobody's. */
const CLOSED = /^(erasing|free):/;

export function isClosedIn(record: Numbers | undefined, partition: number): boolean {
  const names = Object.entries(record?.numbers ?? {});
  return names.some(([name, number]) => number === partition && CLOSED.test(name));
}

/** So many of the last commits a loss of power may take back. */
const UNDOABLE_COMMITS = 8;

/**
 * The one database of a run, and a mirror of what was committed: the checks read the mirror, which no
 * code of the product has touched.
 */
export class Disk {
  readonly #tables = new Map<string, Map<string, unknown>>();
  readonly #undo: Undo[] = [];
  /** Every write fails for want of space. */
  isFull = false;
  commits = 0;
  readonly #backing: Backing;
  readonly #runtime: Runtime;

  constructor(settings: BackingSettings, runtime: Runtime) {
    this.#backing = backingOf(settings);
    this.#runtime = runtime;
  }

  /** There is a file that a loss of power can tear. */
  get power(): Backing['power'] {
    return this.#backing.power;
  }

  handle(runtime: Runtime): Handle {
    return this.#backing.handle(runtime);
  }

  dispose(): void {
    this.#backing.dispose();
  }

  get entries(): ReadonlyMap<string, EntryOnDisk> {
    return this.#table('entries') as ReadonlyMap<string, EntryOnDisk>;
  }

  get rows(): ReadonlyMap<string, RowOnDisk> {
    return this.#table('rows') as ReadonlyMap<string, RowOnDisk>;
  }

  get leases(): ReadonlyMap<string, LeaseOnDisk> {
    return this.#table('leases') as ReadonlyMap<string, LeaseOnDisk>;
  }

  /** Where rows stand in indexes. */
  get places(): ReadonlyMap<string, unknown> {
    return this.#table('fields');
  }

  /** By collection, the fields whose indexes are said to be whole. */
  get wholeIndexes(): Readonly<Record<string, readonly string[]>> {
    return this.#meta('field-indexes') ?? {};
  }

  /** Marks of entries that left without being applied, by seq. */
  get departures(): ReadonlyMap<string, unknown> {
    return this.#table('departures');
  }

  get counters(): Readonly<Record<string, CountersOnDisk>> {
    const state = this.#meta<{ counters: Record<string, CountersOnDisk> }>('queue');
    return state?.counters ?? {};
  }

  get gate(): GateOnDisk | undefined {
    return this.#meta<GateOnDisk>('gate:remote');
  }

  /** The number of each user's part of the database. */
  get partitions(): ReadonlyMap<number, string> {
    return new Map(
      this.#numbers
        .filter(([name]) => !CLOSED.test(name))
        .map(([name, number]) => [number, name.replace('principal:', '')]),
    );
  }

  /** Everything in this part was discarded: nothing may come to it, or be done with it, any more. */
  isClosed(partition: number): boolean {
    return isClosedIn(this.#meta<Numbers>('partitions'), partition);
  }

  get #numbers(): readonly (readonly [string, number])[] {
    return Object.entries(this.#meta<Numbers>('partitions')?.numbers ?? {});
  }

  #meta<R>(name: string): R | undefined {
    const record = this.#table('meta').get(name) as { value: string } | undefined;
    return record === undefined ? undefined : (JSON.parse(record.value) as R);
  }

  #table(name: string): Map<string, unknown> {
    let table = this.#tables.get(name);
    if (table === undefined) {
      table = new Map();
      this.#tables.set(name, table);
    }
    return table;
  }

  /** Takes over what a transaction changed, at the moment it commits. */
  commit(changes: readonly Change[]): Commit {
    const first = new Map<string, { table: string; key: string; before: unknown }>();
    for (const change of changes) {
      const table = this.#table(change.table);
      const key = keyOf(change);
      const name = `${change.table}|${key}`;
      if (!first.has(name)) first.set(name, { table: change.table, key, before: table.get(key) });
      if ('put' in change) table.set(key, change.put);
      else table.delete(key);
    }
    this.#fillIn(changes);
    const steps = [...first.values()];
    this.commits += 1;
    // SQLite commits right after this.
    this.#undo.push({ steps, number: (this.power?.commits ?? 0) + 1 });
    if (this.power === undefined && this.#undo.length > UNDOABLE_COMMITS) this.#undo.shift();
    const changed = <R>(table: string): Changed<R>[] =>
      steps
        .filter((step) => step.table === table)
        .map(({ key, before }) => ({
          before: before as R | undefined,
          after: this.#table(table).get(key) as R | undefined,
        }))
        // What was made and taken away again in one transaction never was.
        .filter(({ before, after }) => before !== undefined || after !== undefined);
    return {
      entries: changed('entries'),
      rows: changed('rows'),
      leases: changed('leases'),
      meta: changed('meta'),
    };
  }

  /** An empty payload stands for the value that the entry's row has at this moment; it must stay so. */
  #fillIn(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.table !== 'entries' || !('put' in change)) continue;
      const entry = this.entries.get(keyOf(change));
      if (entry?.payload !== '') continue;
      const row = [entry.partition, entry.collection, entry.entity].join('|');
      const payload = this.rows.get(row)?.value ?? null;
      this.#table('entries').set(keyOf(change), { ...entry, payload });
    }
  }

  /** Takes the last commits back, as a loss of power does where commits are not flushed. */
  async lose(count: number): Promise<Lost> {
    const before = this.#undo.length;
    const lost = this.#takeBack(() => count-- > 0);
    this.hasLostCommits ||= this.#undo.length < before;
    await this.#rebuild();
    return lost;
  }

  /**
   * Opens what a loss of power has left of a file, as an app would, and takes commits back until the mirror
   * shows what is there.
   *
   * @param open what was being committed when the power failed: it may be there, or not
   * @throws Error if what is there is no state that may be left
   */
  async loseTo(
    survivors: Survivors,
    random: SeededRandom,
    isRelaxed: boolean,
    open: readonly Change[] | undefined,
  ): Promise<Lost & { readonly survived: Commit | undefined; readonly undone: number }> {
    const handle = this.power?.restore(survivors, random, this.#runtime);
    const none = { touched: new Set<number>(), hasGate: false, survived: undefined, undone: 0 };
    if (handle === undefined || this.schema === undefined) return none;
    await handle.open(this.schema);
    const found = await readAll(handle, this.schema);
    await handle.close();
    const survived = open === undefined ? undefined : this.#survived(open, found);
    const before = this.#undo.length;
    const isLost = ({ number }: Undo): boolean => isRelaxed && number > survivors.syncedCommit;
    const lost = this.#takeBack(
      (undo) => isLost(undo) && differences(found, this.#tables).length > 0,
    );
    const different = differences(found, this.#tables);
    if (different.length > 0) {
      const some = different.slice(0, 3).join('; ');
      throw new Error(`what is left is no state that was promised: ${some}`);
    }
    const undone = before - this.#undo.length;
    this.hasLostCommits ||= undone > 0;
    // What is left now is certain.
    this.#undo.length = 0;
    return { ...lost, survived, undone };
  }

  /** What the commit changed, if it is there. */
  #survived(open: readonly Change[], found: Tables): Commit | undefined {
    const commit = this.commit(open);
    if (differences(found, this.#tables).length === 0) return commit;
    let isFirst = true;
    this.#takeBack(() => {
      const isOpen = isFirst;
      isFirst = false;
      return isOpen;
    });
    this.commits -= 1;
    return undefined;
  }

  /** Takes commits back, the last one first, as long as it is wanted. */
  #takeBack(isWanted: (undo: Undo) => boolean): Lost {
    const touched = new Set<number>();
    let hasGate = false;
    for (
      let undo = this.#undo.at(-1);
      undo !== undefined && isWanted(undo);
      undo = this.#undo.at(-1)
    ) {
      this.#undo.pop();
      for (const { table, key, before } of undo.steps.toReversed()) {
        for (const seq of seqsIn(table, [before, this.#table(table).get(key)])) touched.add(seq);
        hasGate ||= table === 'meta' && key === 'gate:remote';
        if (before === undefined) this.#table(table).delete(key);
        else this.#table(table).set(key, before);
      }
    }
    return { touched, hasGate };
  }

  async #rebuild(): Promise<void> {
    const schema = this.schema;
    this.#backing.replace();
    if (schema === undefined) return;
    const handle = this.handle(this.#runtime);
    await handle.open(schema);
    await handle.transact('write', async (tx) => {
      const changes: Change[] = [];
      for (const [table, records] of this.#tables) {
        for (const put of records.values()) {
          changes.push({ table, put: put as Readonly<Record<string, unknown>> });
        }
      }
      await tx.write(changes as Parameters<typeof tx.write>[0]);
    });
    handle.kill();
  }

  /** What was acknowledged is sent once more, and answered with the versions of then. */
  hasLostCommits = false;
  /** What the product opened the database with. */
  schema: Parameters<Handle['open']>[0] | undefined;
}

function seqsIn(table: string, records: readonly unknown[]): readonly number[] {
  return records.flatMap((record) => {
    if (record === undefined) return [];
    if (table === 'entries') return [(record as EntryOnDisk).seq];
    if (table !== 'leases') return [];
    return (JSON.parse((record as LeaseOnDisk).positions) as number[]).map(seqOfPosition);
  });
}

function keyOf(change: Change): string {
  return 'delete' in change ? change.delete.join('|') : keyOfRecord(change.table, change.put);
}
