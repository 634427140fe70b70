import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createBackend, NexusStore, type StoreBackend } from './index.ts';
import { sqliteStorage } from './storage/sqlite/index.ts';

interface Note {
  readonly id: string;
  readonly text: string;
}

/** The default of `limits.maxEntryBytes`, less what every entry is counted for its columns. */
const MAX_TEXT_BYTES = 4_000_000 - 100;
const AROUND_TEXT = JSON.stringify({ id: 'n', text: '' }).length;

/** Real processes share two cores with other tests. */
vi.setConfig({ testTimeout: 30_000 });

let folder: string;
let path: string;
let backend: StoreBackend;
let notes: NexusStore<Note>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nexus-large-'));
  path = join(folder, 'field.db');
  backend = createBackend({ storage: sqliteStorage({ path }), autoSync: false });
  notes = new NexusStore<Note>({ backend, collection: 'notes' });
});
afterEach(async () => {
  await backend.close();
  rmSync(folder, { recursive: true });
});

const noteOf = (text: string): Note => ({ id: 'n', text });

describe('a value', () => {
  test('of 50 MB is refused by code, with neither row nor entry, and the next one is stored', async () => {
    const large = noteOf('x'.repeat(50_000_000));

    await expect(notes.save(large)).rejects.toMatchObject({ code: 'queue/entry-too-large' });
    await expect(notes.saveAll([noteOf('small'), { ...large, id: 'm' }])).rejects.toMatchObject({
      code: 'queue/entry-too-large',
    });

    expect(await notes.getAll()).toEqual([]);
    expect(await notes.pendingChanges()).toEqual([]);
    expect(statSync(path).size + statSync(`${path}-wal`).size).toBeLessThan(1_000_000);
    await notes.save(noteOf('small'));
    expect(await notes.getAll()).toEqual([noteOf('small')]);
  });

  test.each([
    ['one byte', 'x'],
    ['three bytes', '€'],
  ])('of just the limit is stored, and one byte more is not: letters of %s', async (_, letter) => {
    const bytes = Buffer.byteLength(letter);
    const room = MAX_TEXT_BYTES - AROUND_TEXT;
    const full = noteOf(letter.repeat(Math.floor(room / bytes)) + 'x'.repeat(room % bytes));

    await expect(notes.save(noteOf(`${full.text}x`))).rejects.toMatchObject({
      code: 'queue/entry-too-large',
    });
    expect(await notes.getAll()).toEqual([]);
    await notes.save(full);

    expect(await notes.get('n')).toEqual(full);
  });

  test('that grows beyond the limit by being merged with what waits is refused, and that still waits', async () => {
    const half = 'x'.repeat(2_500_000);
    await notes.save(noteOf(half));

    const growing = notes.patch('n', { more: half } as Partial<Note>);

    await expect(growing).rejects.toMatchObject({ code: 'queue/entry-too-large' });
    expect(await notes.get('n')).toEqual(noteOf(half));
    expect(await notes.pendingChanges()).toMatchObject([{ payload: noteOf(half) }]);
  });

  test('that is too large costs the process a copy of it as text, and no more', () => {
    const entry = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
    const script = `
      const { createBackend, NexusStore } = await import(${JSON.stringify(entry('index.ts'))});
      const { sqliteStorage } = await import(${JSON.stringify(entry('storage/sqlite/index.ts'))});
      const backend = createBackend({ storage: sqliteStorage({ path: ${JSON.stringify(join(folder, 'other.db'))} }) });
      const notes = new NexusStore({ backend, collection: 'notes' });
      await notes.save({ id: 'a' });
      const value = { id: 'b', text: 'x'.repeat(50_000_000) };
      JSON.stringify(value.text.at(-1));
      const before = process.memoryUsage.rss();
      let codes = [];
      for (let i = 0; i < 3; i += 1) await notes.save(value).catch(({ code }) => codes.push(code));
      const grown = process.resourceUsage().maxRSS * 1024 - before;
      console.log(JSON.stringify({ codes, grown, rows: (await notes.getAll()).length }));
      await backend.close();`;

    const { stdout, stderr } = spawnSync(
      process.execPath,
      [
        '--conditions=nexus-source',
        '--input-type=module',
        '--max-old-space-size=300',
        '-e',
        script,
      ],
      { encoding: 'utf8' },
    );

    const said = JSON.parse(stdout || `"${stderr}"`) as { grown: number };
    expect(said).toMatchObject({ codes: Array<string>(3).fill('queue/entry-too-large'), rows: 1 });
    expect(said.grown).toBeLessThan(300_000_000);
  });
});

test('the second store of a collection is refused, and the first goes on', async () => {
  expect(() => new NexusStore({ backend, collection: 'notes' })).toThrow(
    expect.objectContaining({ code: 'queue/duplicate-name' }),
  );

  await notes.save(noteOf('still here'));
  expect(await notes.get('n')).toEqual(noteOf('still here'));
});
