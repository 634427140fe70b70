import type { RunResult } from 'nexus-store';

/** After so many begun runs that asked for a retry, or died, the host stops asking by itself. */
export const MAX_ATTEMPTS = 20;

/** The model of `hostResult` in RequestMapping.kt and RequestMapping.swift. */
export function hostResult(
  verdict: string | null,
  attempt: number,
  hasSuccessor: boolean,
): RunResult {
  const result = verdict === 'success' || verdict === 'failure' ? verdict : 'retry';
  const capped = result === 'retry' && attempt >= MAX_ATTEMPTS ? 'failure' : result;
  return capped === 'failure' && hasSuccessor ? 'success' : capped;
}
