import { noOpScheduler, type PlatformScheduler, type Runtime } from 'nexus-store';
import { NativeScheduler } from './native-scheduler.ts';
import type { NativeSyncModule } from './native-module.ts';
import { RunInbox } from './run-inbox.ts';

/** One JavaScript context on a phone: its native module, if it is there, and the one scheduler over it. */
export interface Phone {
  readonly native: NativeSyncModule | null;
  readonly scheduler: PlatformScheduler;
}

/** `expo-task-manager`, by shape. */
export interface TaskManagerLike {
  defineTask(name: string, executor: (body: { readonly data: unknown }) => Promise<unknown>): void;
}

/**
 * Makes the context's phone and defines the task that native code runs. At module scope: a headless start
 * evaluates the entry file and nothing else.
 */
export function createPhone(
  runtime: Pick<Runtime, 'clock' | 'timers'>,
  native: NativeSyncModule | null,
  define: (executor: RunInbox['execute']) => void,
): Phone {
  if (native === null) return { native, scheduler: absentScheduler };
  const inbox = new RunInbox(runtime);
  define(inbox.execute);
  native.addListener('onStop', (stop) => inbox.stop(stop));
  return { native, scheduler: new NativeScheduler(native, inbox) };
}

/** Expo Go, the web, or an app that was not rebuilt: there is no native module. */
const absentScheduler: PlatformScheduler = {
  ...noOpScheduler,
  schedule: async () => ({
    ok: false,
    code: 'schedule/unsupported',
    message: 'the native module is missing: use a development build, and rebuild the app',
  }),
};
