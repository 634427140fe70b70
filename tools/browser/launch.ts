import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import type { BrowserContext, CDPSession, Page } from 'playwright-core';
import { chromiumPath } from './chromium.ts';
import { createProfile } from './profile.ts';

export interface LaunchOptions {
  /**
   * Folder of the profile, which stays. Without it the browser has a new one that goes when it is closed.
   * Storage is on disk either way: an incognito context would keep IndexedDB in memory.
   */
  readonly profile?: string;
  /** More command line switches. */
  readonly args?: readonly string[];
  /** More options of playwright's `launchPersistentContext`: viewport, locale, colour scheme ... */
  readonly context?: Parameters<typeof chromium.launchPersistentContext>[1];
}

export interface RunningBrowser {
  /** Playwright's context. `context.setOffline(true)` holds back pages, workers and `sync` events. */
  readonly context: BrowserContext;
  readonly profile: string;
  readonly pid: number;
  /** A new tab at this address. What its console and its uncaught errors say goes to `complaints`. */
  open(url: string): Promise<Page>;
  /** Errors of every page, as `message`: uncaught ones and `console.error`. */
  readonly complaints: readonly string[];
  /** A session of the debugging protocol with a page, or with the browser as a whole. */
  debug(page?: Page): Promise<CDPSession>;
  /** SIGKILL for the browser and all its processes; resolves when they are gone. The profile stays. */
  kill(): Promise<void>;
  /** Ends the browser in an orderly way. Idempotent, also after `kill`. */
  close(): Promise<void>;
}

/** Killed processes are gone within milliseconds; a machine under load gets this long. */
const KILL_PATIENCE_MS = 10_000;

/**
 * Starts Chromium on a profile on disk, without a window.
 *
 * @throws {Error} if there is no Chromium; see `ensureChromium`
 */
export async function launchBrowser(options: LaunchOptions = {}): Promise<RunningBrowser> {
  const executablePath = chromiumPath();
  if (executablePath === undefined) throw new Error('there is no Chromium on this machine');
  const own = options.profile === undefined ? await createProfile() : undefined;
  const profile = options.profile ?? own?.path ?? '';
  const context = await chromium.launchPersistentContext(profile, {
    ...options.context,
    executablePath,
    headless: true,
    args: [
      // Chromium refuses to sandbox itself as root, as tests in containers often are.
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      ...(options.args ?? []),
    ],
  });
  const pid = await browserPid(context);
  return new LaunchedBrowser(context, profile, pid, async () => await own?.remove());
}

class LaunchedBrowser implements RunningBrowser {
  readonly context: BrowserContext;
  readonly profile: string;
  readonly pid: number;
  readonly complaints: string[] = [];
  readonly #removeProfile: () => Promise<void>;
  readonly #closed: Promise<unknown>;

  constructor(
    context: BrowserContext,
    profile: string,
    pid: number,
    removeProfile: () => Promise<void>,
  ) {
    this.context = context;
    this.profile = profile;
    this.pid = pid;
    this.#removeProfile = removeProfile;
    this.#closed = new Promise((resolve) => context.once('close', resolve));
    context.on('weberror', (error) => this.complaints.push(error.error().message));
    context.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(message.text());
    });
  }

  async open(url: string): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(url);
    return page;
  }

  async debug(page?: Page): Promise<CDPSession> {
    if (page !== undefined) return await this.context.newCDPSession(page);
    return await browserSession(this.context);
  }

  async kill(): Promise<void> {
    // Playwright makes the browser the leader of a process group; its helpers are members.
    signalGroup(this.pid, 'SIGKILL');
    await this.#closed;
    const giveUpAt = performance.now() + KILL_PATIENCE_MS;
    while (signalGroup(this.pid, 0)) {
      if (performance.now() > giveUpAt) throw new Error('the killed browser is still there');
      await sleep(5);
    }
  }

  async close(): Promise<void> {
    await this.context.close();
    await this.#closed;
    await this.#removeProfile();
  }
}

/** Whether the group was there to be told. */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}

async function browserPid(context: BrowserContext): Promise<number> {
  const session = await browserSession(context);
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  const browser = processInfo.find((info) => info.type === 'browser');
  if (browser === undefined) throw new Error('Chromium does not tell its process id');
  return browser.id;
}

async function browserSession(context: BrowserContext): Promise<CDPSession> {
  const browser = context.browser();
  if (browser === null) throw new Error('the browser is closed');
  return await browser.newBrowserCDPSession();
}
