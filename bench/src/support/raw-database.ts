import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { randomUUID } from 'node:crypto';
import type { Report } from './reports.ts';

/**
 * The two layouts of `baselines.md`: what an app would write by hand.
 *
 * - `text`: entries under a text id, beside an index over state, priority and seq.
 * - `integer`: entries under `priority * 2^44 + seq`, without an index. The faster one.
 */
export type RawLayout = 'text' | 'integer';

const SCHEMAS: Readonly<Record<RawLayout, string>> = {
  text: `CREATE TABLE queue (id TEXT PRIMARY KEY, priority INTEGER, seq INTEGER, entity TEXT, payload TEXT,
           state INTEGER, attempts INTEGER, not_before INTEGER, created INTEGER);
         CREATE INDEX queue_order ON queue (state, priority, seq);`,
  integer: `CREATE TABLE queue (key INTEGER PRIMARY KEY, entity TEXT, payload TEXT,
              state INTEGER, attempts INTEGER, not_before INTEGER, created INTEGER);`,
};

const ROWS = `CREATE TABLE rows (collection TEXT, id TEXT, json TEXT, version TEXT,
                PRIMARY KEY (collection, id));`;

const INSERTS: Readonly<Record<RawLayout, string>> = {
  text: 'INSERT INTO queue VALUES (?, ?, ?, ?, ?, 0, 0, 0, ?)',
  integer: 'INSERT INTO queue VALUES (?, ?, ?, 0, 0, 0, ?)',
};

const CLAIMS: Readonly<Record<RawLayout, string>> = {
  text: `SELECT id AS key, entity, payload FROM queue WHERE state = 0 ORDER BY priority, seq LIMIT ?`,
  integer: `SELECT key, entity, payload FROM queue WHERE state = 0 ORDER BY key LIMIT ?`,
};

export interface RawEntry {
  readonly key: string | number;
  readonly entity: string;
  readonly payload: string;
}

/** A queue and a store in SQLite without any library between: the limit that others are held against. */
export class RawDatabase {
  readonly layout: RawLayout;
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #upsert: StatementSync;
  readonly #claim: StatementSync;
  readonly #mark: StatementSync;
  readonly #unmark: StatementSync;
  readonly #delete: StatementSync;
  readonly #version: StatementSync;
  #seq = 1;

  constructor(path: string, layout: RawLayout, synchronous: 'FULL' | 'NORMAL') {
    this.layout = layout;
    const database = new DatabaseSync(path);
    database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}`);
    const isNew = database.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
    if (isNew) database.exec(SCHEMAS[layout] + ROWS);
    const key = layout === 'text' ? 'id' : 'key';
    this.#database = database;
    this.#insert = database.prepare(INSERTS[layout]);
    this.#upsert = database.prepare(
      `INSERT INTO rows VALUES ('reports', ?, ?, NULL)
       ON CONFLICT (collection, id) DO UPDATE SET json = excluded.json`,
    );
    this.#claim = database.prepare(CLAIMS[layout]);
    this.#mark = database.prepare(`UPDATE queue SET state = 1 WHERE ${key} = ?`);
    this.#unmark = database.prepare(`UPDATE queue SET state = 0 WHERE ${key} = ?`);
    this.#delete = database.prepare(`DELETE FROM queue WHERE ${key} = ?`);
    this.#version = database.prepare(
      `UPDATE rows SET version = ? WHERE collection = 'reports' AND id = ?`,
    );
  }

  /** One write: the entry and the row, their value as text once. */
  save(report: Report, priority = 2): void {
    const json = JSON.stringify(report);
    this.enqueue(json, report.id, priority);
    this.#upsert.run(report.id, json);
  }

  enqueue(payload: string, entity: string, priority = 2): void {
    const seq = this.#seq++;
    if (this.layout === 'text')
      this.#insert.run(randomUUID(), priority, seq, entity, payload, Date.now());
    else this.#insert.run(priority * 2 ** 44 + seq, entity, payload, Date.now());
  }

  /** One transaction for each `size` reports. */
  saveInBatches(reports: readonly Report[], size: number): void {
    for (let start = 0; start < reports.length; start += size) {
      this.transaction(() => {
        for (const report of reports.slice(start, start + size)) this.save(report);
      });
    }
  }

  /** Reads the best entries and marks them as taken, in one transaction. */
  claim(limit: number): readonly RawEntry[] {
    return this.transaction(() => {
      const entries = this.#claim.all(limit) as unknown as RawEntry[];
      for (const { key } of entries) this.#mark.run(key);
      return entries;
    });
  }

  /** Removes claimed entries in one transaction; with `version` their rows learn it as well. */
  complete(entries: readonly RawEntry[], version?: string): void {
    this.transaction(() => {
      for (const { key, entity } of entries) {
        this.#delete.run(key);
        if (version !== undefined) this.#version.run(version, entity);
      }
    });
  }

  /** Hands claimed entries back. */
  release(entries: readonly RawEntry[]): void {
    this.transaction(() => {
      for (const { key } of entries) this.#unmark.run(key);
    });
  }

  transaction<R>(body: () => R): R {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const result = body();
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  close(): void {
    this.#database.close();
  }
}
