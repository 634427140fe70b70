import type {
  DeviceFacts,
  RunResult,
  ScheduleRequest,
  ScheduleResult,
  StopReason,
} from 'nexus-store';

/** The name of the native module on both systems. */
export const NATIVE_MODULE = 'NexusStoreBackgroundSync';

/** The task that native code runs; defined at module scope of this package, and so of the app's entry. */
export const TASK_NAME = 'nexus-store.background-sync';

/** The native module, as JavaScript sees it. It maps and reports; decisions are made here. */
export interface NativeSyncModule {
  readonly platform: 'android' | 'ios';
  /** False on iOS, and below Android 12. */
  readonly supportsExpedited: boolean;
  schedule(request: ScheduleRequest): Promise<ScheduleResult>;
  cancel(id: string): Promise<boolean>;
  pending(): Promise<readonly NativePending[]>;
  deviceFacts(): Promise<Partial<DeviceFacts>>;
  /** The last runs as the system saw them, oldest first. */
  runLog(): Promise<readonly NativeRunRecord[]>;
  /** Development builds only; rejects in others. */
  forceRun(id: string): Promise<boolean>;
  /** iOS only: takes a background assertion when the app leaves the screen. */
  setKeepAwake?(isWanted: boolean): Promise<void>;
  addListener(event: 'onStop', listener: (stop: NativeStop) => void): Subscription;
  addListener(event: 'onDeviceChange', listener: () => void): Subscription;
}

export interface Subscription {
  remove(): void;
}

/** What native code tells of a run that begins. */
export interface NativeRun {
  readonly id: string;
  readonly runId: string;
  readonly attempt: number;
  readonly reason: 'scheduled' | 'forced';
  readonly appState: 'foreground' | 'background' | 'headless';
  /** Epoch milliseconds. */
  readonly deadline: number;
}

/** What native code hears of a run that ends. */
export interface NativeVerdict {
  readonly runId: string;
  readonly result: RunResult;
}

/** The system ends a run. */
export interface NativeStop {
  readonly runId: string;
  readonly reason: StopReason;
}

export interface NativePending {
  readonly id: string;
  readonly state: 'waiting' | 'running' | 'blocked';
  readonly nextAt?: number | null;
  readonly attempt?: number | null;
}

/** One run as the system saw it. Without an end the process died under it. */
export interface NativeRunRecord {
  readonly runId: string;
  readonly id: string;
  readonly attempt: number;
  /** Epoch milliseconds. */
  readonly beganAt: number;
  readonly endedAt: number | null;
  readonly result: RunResult | null;
  readonly stopReason: StopReason | null;
  /** iOS: the code with which the system refused the request for the next run, if it did. */
  readonly refusal?: string | null;
}
