/**
 * What tests and measurements need to run in a real Chromium: find or install it, start it on a profile,
 * kill it, bundle TypeScript for it, and serve it a site whose sync server can be stopped and delayed.
 *
 * @example
 * const site = await startSite({ scripts: { '/page.js': new URL('./x.page.ts', import.meta.url) } });
 * const browser = await launchBrowser();
 * const page = await browser.open(site.pageUrl('/page.js'));
 * await site.close();
 * await browser.close();
 *
 * @module
 */
export { chromiumPath, ensureChromium } from './chromium.ts';
export type { FoundChromium } from './chromium.ts';
export { launchBrowser } from './launch.ts';
export type { LaunchOptions, RunningBrowser } from './launch.ts';
export type { Page } from 'playwright-core';
export { createProfile } from './profile.ts';
export type { Profile } from './profile.ts';
export { bundleForBrowser } from './bundle.ts';
export type { BundleOptions } from './bundle.ts';
export { scriptIn } from './script-in.ts';
export type { ScriptFunctions } from './script-in.ts';
export { startSite } from './site.ts';
export type { Site, SiteFile, SiteOptions } from './site.ts';
export { SyncServer } from './sync-server.ts';
export type { RecordedPush, SyncServerOptions } from './sync-server.ts';
