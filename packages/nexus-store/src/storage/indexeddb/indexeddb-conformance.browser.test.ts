import { runPageTests } from 'browser-harness/vitest';

await runPageTests('in Chromium', new URL('./conformance.page.ts', import.meta.url));
