import {
  simulateAndroid,
  simulateIos,
  type AndroidDevice,
  type AppContext,
  type IosDevice,
  type SimulateAndroidOptions,
  type SimulateIosOptions,
} from 'nexus-store/testing';
import type { NetworkLike } from '../phone-device-state.ts';
import { TASK_NAME } from '../native-module.ts';
import { createPhone, type Phone } from '../phone.ts';
import { FakeNativeModule, type NativeMemory } from './fake-native-module.ts';
import { FakeTaskManager } from './fake-task-manager.ts';

/** One JavaScript context of the app: what its entry file finds. */
export interface EntryContext {
  readonly app: AppContext;
  readonly native: FakeNativeModule;
  readonly tasks: FakeTaskManager;
  readonly network: NetworkLike;
  /** What importing the package would make. */
  readonly createPhone: () => Phone;
}

export type Entry = (context: EntryContext) => void;

/** A simulated device with the native module on it, and an app that has an entry file. */
export interface FakePhone<Device> {
  readonly device: Device;
  readonly memory: NativeMemory;
  /** The context that runs now. */
  readonly context: EntryContext;
  /** Contexts that were started, this one included. */
  readonly starts: number;
}

export function fakeAndroid(
  entry: Entry,
  options: SimulateAndroidOptions = {},
): FakePhone<AndroidDevice> {
  const { version = 16 } = options;
  return fakePhone(
    { platform: 'android', supportsExpedited: version >= 12 },
    entry,
    (start) => simulateAndroid({ ...options, start }),
    (device, id) => device.runNow(id),
  );
}

export function fakeIos(entry: Entry, options: SimulateIosOptions = {}): FakePhone<IosDevice> {
  return fakePhone(
    { platform: 'ios', supportsExpedited: false },
    entry,
    (start) => simulateIos({ ...options, start }),
    (device, id) => device.simulateLaunch(id),
  );
}

function fakePhone<Device extends AndroidDevice | IosDevice>(
  system: { readonly platform: 'android' | 'ios'; readonly supportsExpedited: boolean },
  entry: Entry,
  create: (start: (app: AppContext) => void) => Device,
  force: (device: Device, id: string) => boolean,
): FakePhone<Device> {
  const memory: NativeMemory = { isRegistered: false, log: [] };
  let context: EntryContext | undefined;
  let starts = 0;
  const device: Device = create((app) => {
    starts += 1;
    const tasks = new FakeTaskManager(() => {
      memory.isRegistered = false;
    });
    const forceRun = (id: string): boolean => force(device, id);
    const native = new FakeNativeModule({ ...system, app, tasks, memory, forceRun });
    context = {
      app,
      native,
      tasks,
      network: networkOf(app),
      createPhone: () =>
        createPhone(app.runtime, native, (executor) => tasks.defineTask(TASK_NAME, executor)),
    };
    entry(context);
  });
  return {
    device,
    memory,
    get context() {
      if (context === undefined) throw new TypeError('the app was never started');
      return context;
    },
    get starts() {
      return starts;
    },
  };
}

/** `expo-network` on the device, which is how iOS says anything of the network. */
function networkOf(app: AppContext): NetworkLike {
  return {
    getNetworkStateAsync: async () => {
      const { isConnected, isMetered } = await app.state.read();
      const type = isConnected === false ? 'NONE' : isMetered === true ? 'CELLULAR' : 'WIFI';
      return { isConnected: isConnected ?? true, type };
    },
    addNetworkStateListener: (listener) => ({ remove: app.state.onChange(listener) }),
  };
}
