/**
 * Background sync in Node and Electron. Importing it makes `BackgroundSyncServiceFactory` and
 * `defineBackgroundSync` choose it there.
 *
 * @module
 */
import { OBJECT, objectWith, requireKind } from '../../core/model/arguments.ts';
import { registerBackgroundSyncProvider } from '../../core/background/provider-registry.ts';
import { nodeBackgroundSync } from './node-background-sync.ts';
import type { Runtime } from '../../core/ports/runtime.ts';
import { createStandardRuntime } from '../standard/standard-runtime.ts';
import { ElectronDeviceState, type ElectronDeviceOptions } from './electron-device-state.ts';
import { NodeDeviceState, nodeSources, type NodeDeviceOptions } from './node-device-state.ts';
import {
  TimerScheduler,
  type TimerSchedulerOptions,
} from '../../core/background/timer-scheduler.ts';
import { uptimeMs } from './uptime.ts';

registerBackgroundSyncProvider(nodeBackgroundSync());

interface WithRuntime {
  readonly runtime?: Runtime;
}

/**
 * Wake-ups from timers of this process: they survive sleep and a clock that is set, and end with the
 * process.
 */
export function nodeScheduler(options: TimerSchedulerOptions & WithRuntime = {}): TimerScheduler {
  requireKind('the options of nodeScheduler', options, OBJECT);
  return new TimerScheduler(options.runtime ?? createStandardRuntime(), {
    uptimeMs,
    ...options,
  });
}

/** What this machine says of itself. What it does not tell is null. */
export function nodeDeviceState(options: NodeDeviceOptions & WithRuntime = {}): NodeDeviceState {
  requireKind('the options of nodeDeviceState', options, OBJECT);
  const runtime = options.runtime ?? createStandardRuntime();
  return new NodeDeviceState(runtime, nodeSources(runtime, options), options);
}

/** What Electron says of the machine: `electronDeviceState({ powerMonitor, net })`. */
export function electronDeviceState(
  options: ElectronDeviceOptions & WithRuntime,
): ElectronDeviceState {
  requireKind('the options of electronDeviceState', options, OBJECT);
  requireKind('powerMonitor', options.powerMonitor, objectWith("Electron's powerMonitor", 'on'));
  requireKind('net', options.net, objectWith("Electron's net", 'isOnline'));
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
