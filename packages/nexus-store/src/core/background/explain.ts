import type { SyncStatus } from '../sync/sync-status.ts';
import { pendingTotal } from '../sync/sync-status.ts';
import type { DeviceFacts } from '../ports/device-state.ts';
import type { BackgroundSyncConfig } from './background-sync-config.ts';
import type { JournalRecord, ServiceState } from './journal.ts';
import { unmetConstraints, type UnmetConstraint } from './unmet-constraints.ts';

/** One reason why something has not synced. */
export interface Reason {
  readonly code: ReasonCode;
  /** For people, in one sentence. */
  readonly message: string;
  /** What a person can do; null if only time helps. */
  readonly action: string | null;
  /** Epoch milliseconds since when it holds; null if unknown. */
  readonly since: number | null;
  /** Epoch milliseconds until when it holds; null if unknown. */
  readonly until: number | null;
}

export type ReasonCode =
  | 'nothing-pending'
  | 'unsupported'
  | 'disabled'
  | 'not-initialized'
  | 'paused'
  | 'unauthorised'
  | 'upgrade-required'
  | 'background-refused'
  | 'request-refused'
  | 'standby-restricted'
  | 'server-asked-to-wait'
  | 'server-failing'
  | 'offline'
  | 'constraint-unmet'
  | 'power-saving'
  | 'conflicts-waiting'
  | 'dead-letters'
  | 'run-was-killed'
  | 'not-yet-due'
  | 'not-woken';

/** The answer to "why has it not synced?". */
export interface Explanation {
  readonly pending: number;
  /** Most telling first. */
  readonly reasons: readonly Reason[];
}

export interface ExplainFacts {
  readonly now: number;
  readonly isSupported: boolean;
  readonly config: BackgroundSyncConfig | null;
  readonly status: SyncStatus;
  readonly device: DeviceFacts;
  readonly state: ServiceState;
  readonly history: readonly JournalRecord[];
}

type Check = (facts: ExplainFacts) => Reason | null;

/** Every reason that holds, ranked: what only a person can change comes before what time will. */
export function explain(facts: ExplainFacts): Explanation {
  const pending = pendingTotal(facts.status);
  if (pending === 0 && facts.status.dead === 0 && facts.status.conflicts === 0) {
    return {
      pending,
      reasons: [reason('nothing-pending', 'Everything written here is on the server.', null)],
    };
  }
  const reasons = CHECKS.map((check) => check(facts)).filter((found) => found !== null);
  if (reasons.length > 0 || pending === 0) return { pending, reasons };
  const last = facts.history.at(-1);
  const since = last?.beganAt ?? facts.status.oldestPendingAt;
  return {
    pending,
    reasons: [
      reason(
        'not-woken',
        'The system has not woken the app since; nothing else stands in the way.',
        'Open the app: it syncs at once while it is in front.',
        since,
      ),
    ],
  };
}

function reason(
  code: ReasonCode,
  message: string,
  action: string | null,
  since: number | null = null,
  until: number | null = null,
): Reason {
  return { code, message, action, since, until };
}

const CHECKS: readonly Check[] = [
  ({ isSupported }) =>
    isSupported
      ? null
      : reason('unsupported', 'This platform has no background sync.', 'Open the app to sync.'),
  ({ config, isSupported }) =>
    config === null && isSupported
      ? reason(
          'not-initialized',
          'Background sync was never initialised in this app.',
          'Call initialize, or defineBackgroundSync in the entry file.',
        )
      : null,
  ({ config }) =>
    config !== null && !config.enabled
      ? reason(
          'disabled',
          'Background sync is switched off in the configuration.',
          'Set enabled to true.',
        )
      : null,
  ({ status }) =>
    status.blockedBy?.reason === 'paused'
      ? reason('paused', 'The app has paused syncing.', 'Call resume.')
      : null,
  ({ status }) =>
    status.blockedBy?.reason === 'unauthorised'
      ? reason(
          'unauthorised',
          'The server no longer accepts the credentials.',
          'Sign in again.',
          status.lastFailure?.at ?? null,
        )
      : null,
  ({ status }) =>
    status.blockedBy?.reason === 'upgrade-required'
      ? reason(
          'upgrade-required',
          'The server asks for a newer version of the app.',
          'Update the app.',
          status.lastFailure?.at ?? null,
        )
      : null,
  ({ device }) =>
    device.isBackgroundAllowed === false
      ? reason(
          'background-refused',
          'The user has switched off background work for this app.',
          'Allow background refresh for the app in the system settings.',
        )
      : null,
  ({ state }) =>
    state.refusal === null
      ? null
      : reason(
          'request-refused',
          `The system refused the last request for a wake-up (${state.refusal.code}): ${state.refusal.message}`,
          'See docs/reference/errors.md for the code.',
          state.refusal.at,
        ),
  ({ device }) =>
    device.standbyBucket === 'restricted'
      ? reason(
          'standby-restricted',
          'Android has put the app into the restricted bucket: at most one run a day.',
          'Use the app, or lift its battery restriction in the settings.',
        )
      : null,
  serverAskedToWait,
  serverFailing,
  ({ device, status }) =>
    device.isConnected === false || status.blockedBy?.reason === 'offline'
      ? reason(
          'offline',
          'There is no way to the server.',
          'Connect to a network.',
          status.lastFailure?.at ?? null,
          status.blockedBy?.until ?? null,
        )
      : null,
  constraintUnmet,
  ({ device }) =>
    device.isPowerSaving === true
      ? reason(
          'power-saving',
          'The device saves power and holds background work back.',
          'Charge the device, or switch the saver off.',
        )
      : null,
  ({ status }) =>
    status.conflicts > 0
      ? reason(
          'conflicts-waiting',
          `${status.conflicts} conflicts wait for a decision, and hold back what comes after them.`,
          'Resolve them with resolveConflict.',
        )
      : null,
  ({ status }) =>
    status.dead > 0
      ? reason(
          'dead-letters',
          `${status.dead} writes were refused and are kept as dead letters.`,
          'Retry or discard them.',
        )
      : null,
  runWasKilled,
  ({ status, now }) =>
    status.nextAttemptAt !== null && status.nextAttemptAt > now && status.blockedBy === null
      ? reason('not-yet-due', 'The next attempt is not due yet.', null, null, status.nextAttemptAt)
      : null,
];

function serverAskedToWait({ status }: ExplainFacts): Reason | null {
  const { blockedBy, lastFailure } = status;
  if (blockedBy?.reason !== 'gate' || lastFailure?.status !== 429) return null;
  return reason(
    'server-asked-to-wait',
    'The server has asked to be left alone for a while.',
    null,
    lastFailure.at,
    blockedBy.until,
  );
}

function serverFailing({ status }: ExplainFacts): Reason | null {
  const { blockedBy, lastFailure } = status;
  if (blockedBy?.reason !== 'gate' || lastFailure?.status === 429) return null;
  const what = lastFailure?.status === undefined ? 'fails' : `answers ${lastFailure.status}`;
  return reason(
    'server-failing',
    `The server ${what}; it is tried again by itself.`,
    null,
    lastFailure?.at ?? null,
    blockedBy.until,
  );
}

const WORDS: Readonly<Record<UnmetConstraint, string>> = {
  connectivity: 'a network',
  unmetered: 'an unmetered network',
  'not-roaming': 'a network without roaming',
  charging: 'a charger',
  'battery-not-low': 'a battery that is not low',
  'storage-not-low': 'free storage',
  'device-idle': 'an idle device',
};

function constraintUnmet({ config, device, state }: ExplainFacts): Reason | null {
  if (config === null) return null;
  const unmet = unmetConstraints(config.constraints, device).filter(
    (constraint) => constraint !== 'connectivity',
  );
  const [first] = unmet;
  if (first === undefined) return null;
  const words = unmet.map((constraint) => WORDS[constraint]).join(' and ');
  return reason(
    'constraint-unmet',
    `Background runs are configured to wait for ${words}.`,
    null,
    state.unmetSince[first] ?? null,
  );
}

function runWasKilled({ history }: ExplainFacts): Reason | null {
  const last = history.at(-1);
  if (last === undefined || last.endedAt !== null) return null;
  return reason(
    'run-was-killed',
    'The last background run was killed before it ended.',
    null,
    last.beganAt,
  );
}
