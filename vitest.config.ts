import { defineConfig } from 'vitest/config';

// Workspace packages are tested from their sources, never from an older `dist`.
const conditions = ['nexus-source'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    include: [
      '{packages,apps}/*/src/**/*.test.ts',
      '{bench,simulator}/src/**/*.test.ts',
      'docs/**/*.test.ts',
      'tools/**/*.test.ts',
    ],
    exclude: ['**/node_modules/**', '**/dist/**', '**/*.browser.test.ts'],
    pool: 'forks',
    execArgv: ['--conditions=nexus-source'],
    retry: 0,
  },
});
