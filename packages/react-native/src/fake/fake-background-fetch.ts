import type { NetworkType } from 'nexus-store';
import type { AppContext } from 'nexus-store/testing';
import type { BackgroundFetchLike, TextStore } from '../adapters/background-fetch.ts';

/** MAX_TIME of the package for a headless run. */
const LIMIT_MS = 30_000;
const NETWORKS: readonly NetworkType[] = [
  'not-required',
  'connected',
  'unmetered',
  'not-roaming',
  'metered',
];

/**
 * `react-native-background-fetch` in one process of a simulated device: a task id is scheduled or replaced,
 * `finish` ends a run and the result plays no part, the end of the window is an event.
 */
export function fakeBackgroundFetch(
  app: AppContext,
  platform: 'android' | 'ios',
): BackgroundFetchLike {
  let headless: Parameters<BackgroundFetchLike['registerHeadlessTask']>[0] | undefined;
  let listeners: ((taskId: string) => void)[] = [];
  const runs = new Map<string, () => void>();
  app.scheduler.onWakeUp((wakeUp) => {
    const cancel = app.runtime.timers.after(LIMIT_MS, () => tell(true));
    const tell = (timeout: boolean): void => {
      const listener = listeners[timeout ? 1 : 0];
      if (listener !== undefined) listener(wakeUp.id);
      else void headless?.({ taskId: wakeUp.id, timeout });
    };
    runs.set(wakeUp.id, () => {
      cancel();
      wakeUp.complete('success');
    });
    void Promise.resolve().then(() => tell(false)); // the entry file is evaluated first
  });
  return {
    configure: async (_config, onEvent, onTimeout = () => {}) => {
      listeners = [onEvent, onTimeout];
      return 2;
    },
    scheduleTask: async ({ taskId, delay, periodic = false, requiredNetworkType, ...config }) => {
      const isConnected = config.requiresNetworkConnectivity === true;
      const result = await app.scheduler.schedule({
        id: taskId,
        kind: periodic ? 'periodic' : 'once',
        ...(periodic ? { intervalMs: delay } : {}),
        earliestBeginAt: app.runtime.clock.now() + delay,
        constraints: {
          networkType:
            platform === 'ios' && isConnected
              ? 'connected'
              : (NETWORKS[requiredNetworkType ?? 0] as NetworkType),
          requiresCharging: config.requiresCharging ?? false,
          requiresBatteryNotLow: config.requiresBatteryNotLow ?? false,
          requiresStorageNotLow: config.requiresStorageNotLow ?? false,
          requiresDeviceIdle: config.requiresDeviceIdle ?? false,
        },
        taskKind: 'processing',
        existing: 'replace',
      });
      return result.ok;
    },
    stop: async (taskId) => (taskId === undefined ? false : app.scheduler.cancel(taskId)),
    finish: (taskId) => {
      runs.get(taskId)?.();
      runs.delete(taskId);
    },
    registerHeadlessTask: (task) => {
      headless = task;
    },
  };
}

/** AsyncStorage, by shape. */
export function memoryTextStore(): TextStore {
  const texts = new Map<string, string>();
  return {
    getItem: async (key) => texts.get(key) ?? null,
    setItem: async (key, text) => void texts.set(key, text),
  };
}
