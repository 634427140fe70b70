import type { BenchCase } from '../harness/bench-case.ts';
import { CLAIM_CASES } from './claims.ts';
import { COLD_OPEN_CASES } from './cold-opens.ts';
import { DRAIN_CASES } from './drains.ts';
import { SAVE_CASES } from './saves.ts';
import { URGENCY_CASES } from './urgency.ts';

/** Every case, in the order of the table. */
export const CASES: readonly BenchCase[] = [
  ...SAVE_CASES,
  ...CLAIM_CASES,
  ...COLD_OPEN_CASES,
  ...DRAIN_CASES,
  ...URGENCY_CASES,
];
