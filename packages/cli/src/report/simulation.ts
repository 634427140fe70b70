import { Worker } from 'node:worker_threads';
import type { BackgroundSyncConfigOptions } from 'nexus-store';
import type { DeviceSimulation, FleetSimulation } from 'nexus-store/testing';

export const PROFILE_NAMES = [
  'commuter',
  'rural',
  'night-charger',
  'power-user',
  'flaky-network',
] as const;
export type ProfileName = (typeof PROFILE_NAMES)[number];

export const PLATFORMS = ['android', 'ios'] as const;
export type Platform = (typeof PLATFORMS)[number];

export const PLATFORM_TITLE: Readonly<Record<Platform, string>> = {
  android: 'Android',
  ios: 'iOS',
};

/** The outage begins at noon of the first day. */
export const OUTAGE_AFTER_MS: number = 12 * 3_600_000;

/** What a worker is told: plain data. */
export type SimulationJob =
  | {
      readonly kind: 'device';
      readonly config: BackgroundSyncConfigOptions;
      readonly platform: Platform;
      readonly profile: ProfileName;
      readonly lengthMs: number;
      readonly seed: number;
    }
  | {
      readonly kind: 'fleet';
      readonly config: BackgroundSyncConfigOptions;
      /** Undefined: half of them each. */
      readonly platform: Platform | undefined;
      /** Undefined: all five in turn. */
      readonly profile: ProfileName | undefined;
      readonly lengthMs: number;
      readonly seed: number;
      readonly devices: number;
      readonly outageMs: number;
    };

export type WorkerAnswer =
  | { readonly progress: number }
  | { readonly result: DeviceSimulation | FleetSimulation };

/** Everything that was simulated, for text, JSON and report. */
export interface Simulated {
  readonly config: BackgroundSyncConfigOptions & { readonly minInterval: number };
  readonly device: DeviceSimulation;
  readonly fleet: FleetSimulation | null;
  /** Who is in the fleet, in words. */
  readonly fleetOf: string;
}

type ResultOf<Job extends SimulationJob> = Job extends { readonly kind: 'device' }
  ? DeviceSimulation
  : FleetSimulation;

/**
 * Runs a job in a thread of its own: a simulation leaves its thread no moment for Ctrl-C. Rejects with
 * the reason of the signal if it aborts.
 */
export function simulateInThread<Job extends SimulationJob>(
  job: Job,
  signal: AbortSignal,
  onProgress: (done: number) => void = () => {},
): Promise<ResultOf<Job>> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const url = new URL(`./simulation-worker.${extension}`, import.meta.url);
  const worker = new Worker(url, { workerData: job });
  return new Promise<ResultOf<Job>>((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    worker.on('message', (answer: WorkerAnswer) => {
      if ('progress' in answer) onProgress(answer.progress);
      else resolve(answer.result as ResultOf<Job>);
    });
    worker.on('error', reject);
    worker.on('exit', (code) => reject(new Error(`the simulation ended early (${code})`)));
  }).finally(() => {
    void worker.terminate();
  });
}
