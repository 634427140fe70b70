import type { Page } from 'playwright-core';
import { launchBrowser } from './launch.ts';
import { createProfile } from './profile.ts';
import { scriptIn } from './script-in.ts';
import { startSite } from './site.ts';
import type { Site } from './site.ts';

type PageExports = typeof import('./kills.page.ts');

export interface KillsOptions {
  /** How often the browser is killed. */
  readonly kills: number;
  /** Decides after how many acknowledged saves. */
  readonly seed: number;
  readonly onProgress?: (kills: number) => void;
}

export interface KillsResult {
  readonly acknowledged: number;
  /** What is wrong, in words; empty if every resolved save was there after every kill. */
  readonly problems: readonly string[];
}

/** The longest a browser writes before it is killed, in acknowledged saves. */
const MOST_SAVES = 250;

/**
 * Lets a page write with strict durability, kills the browser in the middle, and starts it again on the
 * same profile: every save that had resolved has to be there, in the store and in the queue, and nothing
 * by halves. Again and again on one database.
 */
export async function runKills(options: KillsOptions): Promise<KillsResult> {
  const profile = await createProfile();
  const site = await startSite({
    scripts: { '/kills.js': new URL('./kills.page.ts', import.meta.url) },
  });
  const acknowledged = new Map<string, number>();
  const problems: string[] = [];
  let revision = 1;
  let seed = options.seed;
  try {
    for (let kill = 1; kill <= options.kills; kill += 1) {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      const saves = 1 + ((seed >>> 8) % MOST_SAVES);
      const latest = await writeAndKill(site, profile.path, revision, saves, acknowledged);
      // Revisions that were begun and not acknowledged may be there or not; new ones come after all.
      revision = latest + 10_000;
      problems.push(...(await check(site, profile.path, acknowledged, kill)));
      options.onProgress?.(kill);
    }
  } finally {
    await site.close();
    await profile.remove();
  }
  return { acknowledged: acknowledged.size, problems };
}

/** Resolves when the browser is dead; returns the latest revision it acknowledged. */
async function writeAndKill(
  site: Site,
  profile: string,
  firstRevision: number,
  saves: number,
  acknowledged: Map<string, number>,
): Promise<number> {
  const browser = await launchBrowser({ profile });
  const page = await browser.context.newPage();
  let latest = firstRevision;
  await new Promise<void>((resolve, reject) => {
    let left = saves;
    const tell = (id: string, revision: number): void => {
      acknowledged.set(id, Math.max(revision, acknowledged.get(id) ?? 0));
      latest = Math.max(latest, revision);
      left -= 1;
      if (left === 0) resolve();
    };
    write(page, site, firstRevision, tell).catch(reject);
  });
  await browser.kill();
  await browser.close();
  return latest;
}

async function write(
  page: Page,
  site: Site,
  firstRevision: number,
  tell: (id: string, revision: number) => void,
): Promise<void> {
  await page.exposeFunction('acknowledged', tell);
  await page.goto(site.pageUrl());
  await scriptIn<PageExports>(page, '/kills.js')
    .writeForever(firstRevision)
    .catch((error: unknown) => {
      // The end of the browser ends the call; anything else is a save that failed.
      if (!/closed|crashed/.test(String(error))) throw error;
    });
}

async function check(
  site: Site,
  profile: string,
  acknowledged: ReadonlyMap<string, number>,
  kill: number,
): Promise<readonly string[]> {
  const browser = await launchBrowser({ profile });
  const page = await browser.open(site.pageUrl());
  const { notes, waiting, counted } = await scriptIn<PageExports>(page, '/kills.js').look();
  await browser.close();
  const problems: string[] = [];
  const found = new Map(notes.map((note) => [note.id, note]));
  for (const [id, revision] of acknowledged) {
    const stored = found.get(id)?.stored ?? 0;
    if (stored < revision) problems.push(`kill ${kill}: ${id} has ${stored}, not ${revision}`);
  }
  for (const { id, stored, queued } of notes) {
    if (stored === queued) continue;
    problems.push(`kill ${kill}: ${id} is ${stored} in the store and ${queued} in the queue`);
  }
  if (counted !== waiting) problems.push(`kill ${kill}: ${waiting} wait, ${counted} are counted`);
  return problems;
}
