import type { DeviceFacts } from '../ports/device-state.ts';
import type { RunResult, StopReason, WakeUp } from '../ports/platform-scheduler.ts';
import type { TaskResult } from './budgeted-run.ts';
import type { ServiceState } from './service-state.ts';
import type { UnmetConstraint } from './unmet-constraints.ts';

/** What one wake-up did. A record without an end belongs to a run that was killed, or is at work. */
export interface JournalRecord {
  readonly runId: string;
  /** The request that woke us. */
  readonly requestId: string;
  readonly reason: WakeUp['reason'];
  readonly appState: WakeUp['appState'];
  readonly attempt: number;
  /**
   * Who tells: the service all of it; the service its beginning and the platform its end, since no JavaScript
   * was left to; or the platform all of it, since no JavaScript took the run up.
   */
  readonly source: 'service' | 'service-and-platform' | 'platform';
  /** Epoch milliseconds. */
  readonly beganAt: number;
  readonly endedAt: number | null;
  /** The device as the run began; null if it did not say in time. */
  readonly device: DeviceFacts | null;
  readonly unmet: readonly UnmetConstraint[];
  /** The run that was at work already and whose results these are. */
  readonly joined: string | null;
  readonly pushed: number;
  readonly pulled: number;
  readonly remaining: number | null;
  readonly stoppedBy: string | null;
  /** Why the run ended early, if it did: `timeout` where it was our own doing. */
  readonly stopReason: StopReason | null;
  readonly result: RunResult | null;
  readonly tasks: readonly TaskResult[];
  readonly error: string | null;
}

/** So many records are kept. */
export const JOURNAL_LIMIT = 200;

/** A change of the state, made on what is stored: another process may have changed it meanwhile. */
export type StateChange = (state: ServiceState) => ServiceState;

/** Where journal and state are kept. Records outlive the process; the oldest go. */
export interface Journal {
  /** Resolves with the record's id, and the state as it is then. */
  begin(record: JournalRecord, change: StateChange): Promise<JournalEntry>;
  end(id: number, record: JournalRecord, change: StateChange): Promise<ServiceState>;
  /** Oldest first. */
  records(): Promise<readonly JournalRecord[]>;
  readState(): Promise<ServiceState>;
  changeState(change: StateChange): Promise<ServiceState>;
  /** Changes and adds records, by what is there. */
  revise(decide: (known: readonly NumberedRecord[]) => Revision): Promise<void>;
}

export interface NumberedRecord {
  readonly id: number;
  readonly record: JournalRecord;
}

export interface Revision {
  readonly changed: readonly NumberedRecord[];
  readonly added: readonly JournalRecord[];
}

export interface JournalEntry {
  readonly id: number;
  readonly state: ServiceState;
}

/** The record of a run that begins. */
export function newRecord(wakeUp: WakeUp, beganAt: number): JournalRecord {
  return {
    runId: wakeUp.runId,
    requestId: wakeUp.id,
    reason: wakeUp.reason,
    appState: wakeUp.appState,
    attempt: wakeUp.attempt,
    source: 'service',
    beganAt,
    endedAt: null,
    device: null,
    unmet: [],
    joined: null,
    pushed: 0,
    pulled: 0,
    remaining: null,
    stoppedBy: null,
    stopReason: null,
    result: null,
    tasks: [],
    error: null,
  };
}
