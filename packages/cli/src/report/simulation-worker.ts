import { parentPort, workerData } from 'node:worker_threads';
import { memoryDatabase, memoryStorage } from 'nexus-store/memory';
import {
  commuter,
  flakyNetwork,
  nightCharger,
  powerUser,
  rural,
  simulateDevice,
  simulateFleet,
  type DayProfile,
  type DeviceSimulation,
  type FleetSimulation,
} from 'nexus-store/testing';
import {
  OUTAGE_AFTER_MS,
  type ProfileName,
  type SimulationJob,
  type WorkerAnswer,
} from './simulation.ts';

const PROFILES: Readonly<Record<ProfileName, DayProfile>> = {
  commuter,
  rural,
  'night-charger': nightCharger,
  'power-user': powerUser,
  'flaky-network': flakyNetwork,
};

function answer(message: WorkerAnswer): void {
  parentPort?.postMessage(message);
}

function device(job: SimulationJob & { kind: 'device' }): Promise<DeviceSimulation> {
  const { config, platform, profile, lengthMs, seed } = job;
  const database = memoryDatabase();
  return simulateDevice({
    platform,
    profile: PROFILES[profile],
    config,
    duration: lengthMs,
    seed,
    openStorage: () => memoryStorage({ database }),
  });
}

function fleet(job: SimulationJob & { kind: 'fleet' }): FleetSimulation {
  const { config, platform, profile, lengthMs, seed, devices, outageMs } = job;
  return simulateFleet({
    devices,
    config,
    duration: lengthMs,
    seed,
    ...(platform === undefined ? {} : { iosShare: platform === 'ios' ? 1 : 0 }),
    ...(profile === undefined ? {} : { profiles: [PROFILES[profile]] }),
    ...(outageMs === 0 ? {} : { outage: { after: OUTAGE_AFTER_MS, length: outageMs } }),
    onProgress: (done) => answer({ progress: done }),
  });
}

const job = workerData as SimulationJob;
answer({ result: job.kind === 'device' ? await device(job) : fleet(job) });
