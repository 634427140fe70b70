import { runTrial, type TrialResult } from './trial.ts';

const LEASE_MS = 5_000;
/** No write may wait longer than this for the others, and no entry longer than a lease for its sender. */
const LONGEST_WRITE_MS = 5_000;
const SLACK_MS = 2_000;

/** Several real processes on one file for so long, one of them killed every few seconds. */
export async function runProcesses(seconds: number): Promise<boolean> {
  const result = await runTrial({
    processes: 4,
    writeMs: seconds * 1_000,
    killEveryMs: 7_000,
    leaseMs: LEASE_MS,
    requestTimeoutMs: 3_000,
    everyMs: 20,
    seed: 1,
  });
  tell(result);
  const slowest = Math.max(...result.fares.map(({ maxMs }) => maxMs));
  const latest = Math.max(0, ...result.takeoverMs);
  const isFair = slowest < LONGEST_WRITE_MS && latest < LEASE_MS + SLACK_MS;
  return isFair && result.faults.length === 0;
}

function tell({ fares, takeoverMs, applied, pushes, faults }: TrialResult): void {
  for (const { name, saved, wroteMs, medianMs, p99Ms, maxMs } of fares) {
    const seconds = (wroteMs / 1_000).toFixed(1);
    const times = [medianMs, p99Ms, maxMs].map((ms) => ms.toFixed(1)).join(' / ');
    console.log(`${name}: ${saved} writes in ${seconds} s; median / p99 / longest ${times} ms`);
  }
  console.log(`taken over after ${takeoverMs.map((ms) => Math.round(ms)).join(', ')} ms`);
  console.log(`${applied} writes applied in ${pushes} requests, ${faults.length} faults`);
  for (const fault of faults) console.log(`  ${fault}`);
}
