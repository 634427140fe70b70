import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createBackend, NexusStore } from 'nexus-store';
import { nodeSqliteClient, sqliteStorage } from 'nexus-store/sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { disagreements } from './agreement.ts';
import { atOnce } from './at-once.ts';
import { dumpOf } from './dump.ts';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nexus-agreement-'));
  path = join(folder, 'store.db');
  const backend = createBackend({ storage: sqliteStorage({ path }), autoSync: false });
  const notes = new NexusStore<{ id: string; text: string }>({ backend, collection: 'notes' });
  await notes.save({ id: 'alone', text: 'whose payload is in its row' });
  await backend.transaction(async (tx) => {
    await tx.store(notes).save({ id: 'alone', text: 'behind it' });
    await tx.store(notes).save({ id: 'other', text: 'with it' });
  });
  await notes.save({ id: 'third', text: 'by itself' });
  await backend.close();
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function after(...changes: readonly string[]): readonly string[] {
  const database = new DatabaseSync(path);
  for (const sql of changes) database.exec(sql);
  database.close();
  const connection = atOnce(nodeSqliteClient().open(path, { readOnly: true }));
  const found = disagreements(dumpOf(connection));
  atOnce(connection.close());
  return found;
}

describe('records of a database', () => {
  test('agree as the product leaves them', () => {
    expect(after()).toEqual([]);
  });

  test.each([
    ['an entry without its row', "DELETE FROM rows WHERE id = 'third'", 'payload'],
    ['a row without its entry', "DELETE FROM entries WHERE entity = 'third'", 'lane'],
    ['an entry that the counters do not know', 'DELETE FROM entries WHERE seq = 4', 'counters'],
    ['a value that nothing explains', "UPDATE rows SET value = '{}' WHERE id = 'alone'", 'fold'],
    ['half a transaction', 'DELETE FROM entries WHERE seq = 2', 'lane'],
  ])('that hold %s do not agree', (_, sql, rule) => {
    expect(after(sql).map((text) => text.split(':')[0])).toContain(rule);
  });
});
