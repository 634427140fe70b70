import { durationMs } from '../model/duration.ts';
import type { SyncOptions } from './sync-options.ts';

/**
 * The limits of a caller that has waited for a run under way to end before its own begins: a budget counts from
 * the call. A deadline is an instant anyway.
 */
export function afterWaiting(options: SyncOptions, waitedMs: number): SyncOptions {
  const { budget } = options;
  if (budget === undefined) return options;
  return { ...options, budget: Math.max(0, durationMs(budget, 'budget') - waitedMs) };
}
