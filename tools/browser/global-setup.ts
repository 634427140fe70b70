import { ensureChromium } from './chromium.ts';

/** Once before all browser tests: a Chromium, or words about why there is none. */
export default function setup(): void {
  const { missing } = ensureChromium();
  if (missing !== undefined) {
    console.error(`\nBrowser tests are skipped, and counted as skipped: ${missing}.\n`);
  }
}
