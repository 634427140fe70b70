import 'fake-indexeddb/auto';
import { describe, expect, test } from 'vitest';
import { indexedDbSuites } from './suites.page.ts';

indexedDbSuites({ describe, test, expect });
