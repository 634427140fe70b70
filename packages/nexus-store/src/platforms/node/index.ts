/**
 * Background sync in Node and Electron. Importing it makes `BackgroundSyncServiceFactory` and
 * `defineBackgroundSync` choose it there.
 *
 * @module
 */
import { requireKind, requireOptions } from '../../core/model/arguments.ts';
import { registerBackgroundSyncProvider } from '../../core/background/provider-registry.ts';
import { nodeBackgroundSync } from './node-background-sync.ts';
import { createStandardRuntime } from '../standard/standard-runtime.ts';
import { ElectronDeviceState, type ElectronDeviceOptions } from './electron-device-state.ts';
import { NodeDeviceState, nodeSources, type NodeDeviceOptions } from './node-device-state.ts';
import {
  TimerScheduler,
  type TimerSchedulerOptions,
} from '../../core/background/timer-scheduler.ts';
import {
  ELECTRON_DEVICE_OPTIONS,
  NODE_DEVICE_OPTIONS,
  SCHEDULER_OPTIONS,
  type WithRuntime,
} from './option-kinds.ts';
import { uptimeMs } from './uptime.ts';

registerBackgroundSyncProvider(nodeBackgroundSync());

/**
 * Wake-ups from timers of this process: they survive sleep and a clock that is set, and end with the
 * process.
 */
export function nodeScheduler(options: TimerSchedulerOptions & WithRuntime = {}): TimerScheduler {
  requireOptions('nodeScheduler', options, SCHEDULER_OPTIONS);
  return new TimerScheduler(options.runtime ?? createStandardRuntime(), {
    uptimeMs,
    ...options,
  });
}

/** What this machine says of itself. What it does not tell is null. */
export function nodeDeviceState(options: NodeDeviceOptions & WithRuntime = {}): NodeDeviceState {
  requireOptions('nodeDeviceState', options, NODE_DEVICE_OPTIONS);
  const runtime = options.runtime ?? createStandardRuntime();
  return new NodeDeviceState(runtime, nodeSources(runtime, options), options);
}

/** What Electron says of the machine: `electronDeviceState({ powerMonitor, net })`. */
export function electronDeviceState(
  options: ElectronDeviceOptions & WithRuntime,
): ElectronDeviceState {
  requireOptions('electronDeviceState', options, ELECTRON_DEVICE_OPTIONS);
  requireKind('powerMonitor', options.powerMonitor, ELECTRON_DEVICE_OPTIONS.powerMonitor);
  requireKind('net', options.net, ELECTRON_DEVICE_OPTIONS.net);
  return new ElectronDeviceState(options.runtime ?? createStandardRuntime(), options);
}

export { drainBeforeQuit } from './drain-before-quit.ts';
export type { AppLike } from './drain-before-quit.ts';
export type {
  ElectronDeviceOptions,
  ElectronDeviceState,
  NetLike,
  PowerMonitorLike,
} from './electron-device-state.ts';
export { nodeBackgroundSync } from './node-background-sync.ts';
export type { NodeBackgroundSyncOptions } from './node-background-sync.ts';
export type { NodeDeviceOptions, NodeDeviceState } from './node-device-state.ts';
export { NodeSyncService } from './node-sync-service.ts';
export type { NodeSyncServiceOptions } from './node-sync-service.ts';
export type { SystemInformationLike } from './power.ts';
export type { TellingDeviceState } from '../../core/background/telling-device-state.ts';
export type {
  TimerScheduler,
  TimerSchedulerOptions,
} from '../../core/background/timer-scheduler.ts';
