import type { AppContext } from 'nexus-store/testing';
import type { ExpoBackgroundTask, ExpoTaskManager } from '../adapters/expo-background-task.ts';
import { FakeTaskManager } from './fake-task-manager.ts';

/** What `expo-task-manager` keeps beyond the process. */
export interface TaskRegistry {
  readonly tasks: Map<string, unknown>;
}

const WORK = 'EXPO_BACKGROUND_WORKER';

/**
 * `expo-background-task` in one process of a simulated Android: one worker, self re-enqueued one-offs that
 * need a network, a result that is ignored, a task that is registered left as it is.
 */
export function fakeExpoBackgroundTask(
  app: AppContext,
  registry: TaskRegistry,
): { readonly backgroundTask: ExpoBackgroundTask; readonly taskManager: ExpoTaskManager } {
  const tasks = new FakeTaskManager((name) => registry.tasks.delete(name));
  const intervalMs = (): number => {
    const [options] = [...registry.tasks.values()] as { minimumInterval?: number }[];
    return (options?.minimumInterval ?? 24 * 60) * 60_000;
  };
  const enqueue = async (): Promise<void> => {
    const earliestBeginAt = app.runtime.clock.now() + intervalMs();
    const constraints = { networkType: 'connected' } as const;
    await app.scheduler.schedule({ id: WORK, kind: 'once', earliestBeginAt, constraints });
  };
  app.scheduler.onWakeUp((wakeUp) => {
    const all = [...registry.tasks.keys()].map((name) => tasks.execute(name, {}));
    void Promise.all(all).then(async () => {
      if (registry.tasks.size > 0) await enqueue();
      wakeUp.complete('success');
    });
  });
  return {
    backgroundTask: {
      registerTaskAsync: async (name, options = {}) => {
        if (registry.tasks.has(name)) return;
        registry.tasks.set(name, structuredClone(options));
        await enqueue();
      },
      unregisterTaskAsync: async (name) => {
        registry.tasks.delete(name);
        if (registry.tasks.size === 0) await app.scheduler.cancel(WORK);
      },
      getStatusAsync: async () => 2,
      addExpirationListener: () => ({ remove: () => {} }),
    },
    taskManager: {
      defineTask: tasks.defineTask,
      isTaskRegisteredAsync: async (name) => registry.tasks.has(name),
      getTaskOptionsAsync: async <Options>(name: string) =>
        (registry.tasks.get(name) ?? null) as Options,
    },
  };
}
