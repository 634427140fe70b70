import type { PlatformScheduler } from '../ports/platform-scheduler.ts';

/** The scheduler of a platform without background work: refuses every request, by code. */
export const noOpScheduler: PlatformScheduler = {
  capabilities: {
    kinds: [],
    constraints: [],
    networkTypes: [],
    minIntervalMs: 0,
    maxRunMs: 0,
    expedited: false,
    idsShareOneWorker: false,
    resultHonoured: false,
    survivesKill: false,
  },
  onWakeUp: () => {},
  schedule: async () => ({
    ok: false,
    code: 'schedule/unsupported',
    message: 'this platform has no background scheduler',
  }),
  cancel: async () => false,
  pending: async () => [],
};
