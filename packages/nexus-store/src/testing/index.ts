export { createSeededRandom } from './seeded-random.ts';
export type { SeededRandom } from './seeded-random.ts';
export { createVirtualRuntime, VIRTUAL_START_AT } from './virtual-runtime.ts';
export type { VirtualProcess, VirtualRuntime, VirtualRuntimeOptions } from './virtual-runtime.ts';
export { VirtualTime } from './virtual-time.ts';
export type { Alarm } from './virtual-time.ts';
export { memoryRemote } from './memory-remote.ts';
export type {
  MemoryRemote,
  MemoryRemoteOptions,
  PushAnswer,
  PushAttempt,
} from './memory-remote.ts';
export { MemoryServer } from './memory-server.ts';
export type { AppliedMutation, MemoryCommand } from './memory-server.ts';
export { REMOTE_SUITE_PRINCIPALS, testRemote } from './remote-suite.ts';
export type { RemoteHarness, RemoteHold } from './remote-suite.ts';
export type { Expectation, TestFunctions } from './test-functions.ts';
export { PlainAbortController } from './plain-abort-controller.ts';
export { testQueue } from './queue-suite.ts';
export type { QueueHarness } from './queue-bench.ts';
export { testStorage } from './storage-suite.ts';
export type { ArmedFault, StorageHarness } from './storage-laws/law.ts';
export { faultySqliteClient } from './faulty-sqlite-client.ts';
export type { FaultySqliteClient, SqliteFault } from './faulty-sqlite-client.ts';
export { faultyStorage } from './faulty-storage.ts';
export type { FaultyStorage } from './faulty-storage.ts';
export { AndroidModel } from './device/android-model.ts';
export type { AndroidModelOptions } from './device/android-model.ts';
export type { AndroidVersion, StandbyBucket } from './device/android-quota.ts';
export {
  ANDROID_CAPABILITIES,
  ANDROID_STOP_REASON,
  backoffMs,
  mapAndroidRequest,
  nextRunAt,
  portStopReason,
} from './device/android-rules.ts';
export type {
  AndroidBlocker,
  AndroidStopReason,
  WorkProgress,
  WorkRequest,
} from './device/android-rules.ts';
export type { DeviceConditions, NetworkKind } from './device/conditions.ts';
export { commuter, flakyNetwork, nightCharger, powerUser, rural } from './device/day-profiles.ts';
export type { DayEvent, DayProfile } from './device/day-profiles.ts';
export { NO_HOST } from './device/device-model.ts';
export type {
  DeviceModel,
  HostRun,
  ModelHost,
  ProcessState,
  RunRecord,
} from './device/device-model.ts';
export type { DozePhase } from './device/doze.ts';
export { IosModel } from './device/ios-model.ts';
export type { IosBlocker, IosModelOptions } from './device/ios-model.ts';
export { IOS_ERROR, iosErrorCode, mapIosRequest } from './device/ios-rules.ts';
export type { IosRequest, IosTaskKind } from './device/ios-rules.ts';
export type { IosAppSetup } from './device/ios-submission.ts';
export { ProfilePlayer } from './device/profile-player.ts';
export type { Mapping } from './device/request-rules.ts';
export type { AppContext, StartApp } from './device/simulated-app.ts';
export type {
  AppControls,
  SimulatedDevice,
  SimulatedDeviceOptions,
} from './device/simulated-device.ts';
export { testPlatformScheduler } from './scheduler-suite.ts';
export type { SchedulerHarness } from './scheduler-suite.ts';
export { simulateAndroid } from './simulate-android.ts';
export type { AndroidDevice, SimulateAndroidOptions } from './simulate-android.ts';
export { simulateIos } from './simulate-ios.ts';
export type { IosDevice, SimulateIosOptions } from './simulate-ios.ts';
export type { DelayHistogram, Delays, DelaysByPriority, DelaySummary } from './fleet/delays.ts';
export { FieldApp } from './fleet/field-app.ts';
export type { FieldAppOptions, FieldLife, FieldNote } from './fleet/field-app.ts';
export type { ServerOutage } from './fleet/fleet-server.ts';
export { PhoneRemote } from './fleet/phone-remote.ts';
export type { PhoneNetwork } from './fleet/phone-remote.ts';
export type { TimelinePoint } from './fleet/recorded-profile.ts';
export { simulateDevice } from './fleet/simulate-device.ts';
export type {
  DeviceSimulation,
  SimulatedSave,
  SimulateDeviceOptions,
} from './fleet/simulate-device.ts';
export { simulateFleet } from './fleet/simulate-fleet.ts';
export type { FleetSimulation, SimulateFleetOptions } from './fleet/simulate-fleet.ts';
export { DEFAULT_HABIT } from './fleet/writing-habit.ts';
export type { WritingHabit } from './fleet/writing-habit.ts';
export { ManualDeviceState } from './manual-device-state.ts';
export { ManualScheduler, manualScheduler } from './manual-scheduler.ts';
export type { ManualWakeUp } from './manual-scheduler.ts';
