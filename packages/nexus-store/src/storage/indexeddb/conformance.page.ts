// What indexeddb-chromium.browser.test.ts runs in a page.
import { collectTests } from 'browser-harness/page';
import { indexedDbSuites } from './suites.page.ts';

export const { names, run } = collectTests(indexedDbSuites);
