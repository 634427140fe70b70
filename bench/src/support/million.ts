import { sqliteStorage } from 'nexus-store/sqlite';
import type { Setting } from '../harness/bench-case.ts';
import { ItemQueue, RawQueue, StoreQueue } from './queues.ts';
import { RawDatabase, type RawLayout } from './raw-database.ts';
import { newPath } from './temporary-file.ts';

/**
 * Databases with a million pending entries, made once for all cases of a run. Each case leaves as many
 * in them as it found.
 */
export function millionItems(setting: Setting): Promise<string> {
  return made(setting, 'million items', async (path, count) => {
    const items = new ItemQueue(sqliteStorage({ path, durability: 'relaxed' }));
    await items.fill(count);
    await items.close();
  });
}

/** With a row of the store for each of them. */
export function millionSaves(setting: Setting): Promise<string> {
  return made(setting, 'million saves', async (path, count) => {
    const store = new StoreQueue(sqliteStorage({ path, durability: 'relaxed' }));
    await store.fill(count);
    await store.close();
  });
}

export function millionRaw(setting: Setting, layout: RawLayout): Promise<string> {
  return made(setting, `million raw ${layout}`, async (path, count) => {
    const raw = new RawQueue(new RawDatabase(path, layout, 'NORMAL'), true);
    raw.fill(count);
    await raw.close();
  });
}

/** How many that is: a quick run is content with fewer. */
export function aMillion(setting: Setting): number {
  return setting.size(1_000_000, 2_000);
}

function made(
  setting: Setting,
  name: string,
  fill: (path: string, count: number) => Promise<void>,
): Promise<string> {
  return setting.shared(name, async () => {
    const path = newPath(setting, name.replaceAll(' ', '-'));
    const startedAt = performance.now();
    await fill(path, aMillion(setting));
    setting.note(`made ${name} in ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);
    return path;
  });
}
