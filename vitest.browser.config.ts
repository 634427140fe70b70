import { defineConfig } from 'vitest/config';

// As in vitest.config.ts: packages are tested from their sources.
const conditions = ['nexus-source'];

// `npm run test:browser`: the tests that drive a real Chromium. Each file starts browsers of its own.
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    include: [
      '{packages,apps}/*/src/**/*.browser.test.ts',
      '{bench/src,tools}/**/*.browser.test.ts',
    ],
    exclude: ['**/node_modules/**', '**/dist/**'],
    pool: 'forks',
    execArgv: ['--conditions=nexus-source'],
    retry: 0,
    globalSetup: ['tools/browser/global-setup.ts'],
    // Browsers that share two cores take seconds for what takes milliseconds alone.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
