import type { Runtime } from 'nexus-store';
import { backingOf, type Backing, type Handle } from './backing.ts';
import {
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

type Undo = readonly { readonly table: string; readonly key: string; readonly before: unknown }[];

const KEYS: Readonly<Record<string, readonly string[]>> = {
  meta: ['name'],
  rows: ['partition', 'collection', 'id'],
  fields: ['partition', 'collection', 'field', 'value', 'id'],
  entries: ['position'],
  dependencies: ['prerequisite', 'dependent'],
  leases: ['fence'],
  departures: ['seq'],
  journal: ['id'],
};

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

  constructor(kind: 'memory' | 'sqlite', runtime: Runtime) {
    this.#backing = backingOf(kind);
    this.#runtime = runtime;
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
    const numbers = this.#meta<{ numbers: Record<string, number> }>('partitions')?.numbers ?? {};
    return new Map(
      Object.entries(numbers).map(([name, number]) => [number, name.replace('principal:', '')]),
    );
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
    const undo = [...first.values()];
    this.commits += 1;
    this.#undo.push(undo);
    if (this.#undo.length > UNDOABLE_COMMITS) this.#undo.shift();
    const changed = <R>(table: string): Changed<R>[] =>
      undo
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

  /**
   * Takes the last commits back, as a loss of power does where commits are not flushed.
   *
   * @returns the seqs of the entries that these commits touched: made, changed, claimed or took away; and
   *   whether what the server had asked for was in one of them
   */
  async lose(count: number): Promise<{ touched: ReadonlySet<number>; hasGate: boolean }> {
    const touched = new Set<number>();
    let hasGate = false;
    for (let lost = 0; lost < count; lost += 1) {
      for (const { table, key, before } of this.#undo.pop()?.toReversed() ?? []) {
        for (const seq of seqsIn(table, [before, this.#table(table).get(key)])) touched.add(seq);
        hasGate ||= table === 'meta' && key === 'gate:remote';
        if (before === undefined) this.#table(table).delete(key);
        else this.#table(table).set(key, before);
      }
    }
    await this.#rebuild();
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
  if ('delete' in change) return change.delete.join('|');
  return (KEYS[change.table] ?? []).map((column) => String(change.put[column])).join('|');
}
