import type { SyncStatus } from '../sync/sync-status.ts';
import { pendingTotal } from '../sync/sync-status.ts';
import type { DeviceFacts } from '../ports/device-state.ts';
import type { BackgroundSyncConfig } from './background-sync-config.ts';
import { fetchFailure, foreignAnswer, neverFetched, type FetchTrouble } from './fetch-trouble.ts';
import type { JournalRecord } from './journal.ts';
import type { Explanation, Reason, ReasonCode } from './explanation.ts';
import { hintedIntervalMs, type ServiceState } from './service-state.ts';
import { hardUnmet, type UnmetConstraint } from './unmet-constraints.ts';

export interface ExplainFacts {
  readonly now: number;
  readonly isSupported: boolean;
  readonly config: BackgroundSyncConfig | null;
  /** `cancelSync` is in force. */
  readonly isCancelled: boolean;
  /** The backend knows a server. */
  readonly hasRemote: boolean;
  readonly status: SyncStatus;
  /** Epoch milliseconds until when the server asked not to be called; null if it did not. */
  readonly askedToWaitUntil: number | null;
  readonly device: DeviceFacts;
  readonly state: ServiceState;
  readonly history: readonly JournalRecord[];
}

type Check = (facts: ExplainFacts) => Reason | null;

/** Every reason that holds, ranked: what only a person can change comes before what time will. */
export function explain(facts: ExplainFacts): Explanation {
  const pending = pendingTotal(facts.status);
  // Without anything to send nothing but these can be said to hold something back.
  const checks = pending === 0 ? [fetchFailed, conflictsWaiting, deadLetters] : CHECKS;
  const reasons = checks.map((check) => check(facts)).filter((found) => found !== null);
  if (reasons.length > 0) return { pending, reasons };
  return { pending, reasons: [pending === 0 ? nothingPending(facts) : waitingForWakeUp(facts)] };
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

const OPEN_THE_APP = 'Open the app: it syncs while it is in front.';

const CHECKS: readonly Check[] = [
  withoutRemote,
  unsupported,
  notInitialized,
  switchedOff,
  blockedByPeople,
  backgroundRefused,
  requestRefused,
  standbyRestricted,
  serverAskedToWait,
  offline,
  serverFailing,
  constraintUnmet,
  powerSaving,
  conflictsWaiting,
  deadLetters,
  runDidNotStart,
  runWasKilled,
  runWasTooShort,
  notWoken,
  notYetDue,
];

function nothingPending({ status, hasRemote, device }: ExplainFacts): Reason {
  const trouble = neverFetched({ status, hasRemote, isConnected: device.isConnected });
  if (trouble !== null) return reasonOf(trouble);
  return reason('nothing-pending', 'Everything written here is on the server.', null);
}

function fetchFailed({ status, hasRemote, device }: ExplainFacts): Reason | null {
  const trouble = fetchFailure({ status, hasRemote, isConnected: device.isConnected });
  return trouble === null ? null : reasonOf(trouble);
}

function reasonOf({ message, action, since, until }: FetchTrouble): Reason {
  return reason('fetch-failed', message, action, since, until);
}

function unsupported({ isSupported }: ExplainFacts): Reason | null {
  if (isSupported) return null;
  return reason('unsupported', 'This platform has no background sync.', OPEN_THE_APP);
}

function notInitialized({ config, isSupported }: ExplainFacts): Reason | null {
  if (config !== null || !isSupported) return null;
  return reason(
    'not-initialized',
    'Background sync was not initialised in this app.',
    'Call initialize, or defineBackgroundSync in the entry file.',
  );
}

function switchedOff({ config, isCancelled, isSupported }: ExplainFacts): Reason | null {
  if (config === null || !isSupported) return null;
  if (!config.enabled)
    return reason(
      'disabled',
      'Background sync is switched off in the configuration.',
      'Set enabled to true.',
    );
  if (!isCancelled) return null;
  return reason('cancelled', 'The app has called cancelSync.', 'Call scheduleSync.');
}

function blockedByPeople({ status }: ExplainFacts): Reason | null {
  const since = status.lastFailure?.at ?? null;
  switch (status.blockedBy?.reason) {
    case 'paused':
      return reason('paused', 'The app has paused syncing.', 'Call resume.');
    case 'unauthorised':
      return reason(
        'unauthorised',
        'The server no longer accepts the credentials.',
        'Sign in again.',
        since,
      );
    case 'upgrade-required':
      return reason(
        'upgrade-required',
        'The server asks for a newer version of the app.',
        'Update the app.',
        since,
      );
    default:
      return null;
  }
}

function backgroundRefused({ device }: ExplainFacts): Reason | null {
  if (device.isBackgroundAllowed !== false) return null;
  return reason(
    'background-refused',
    'Background work is switched off for this app in the system settings.',
    'Allow background refresh (iOS) or lift the battery restriction (Android) in the settings.',
  );
}

function requestRefused({ state }: ExplainFacts): Reason | null {
  const { refusal } = state;
  if (refusal === null) return null;
  return reason(
    'request-refused',
    `The system refused the last request for a wake-up, ${refusal.id} (${refusal.code}): ${refusal.message}.`,
    `docs/reference/errors.md says what ${refusal.code} means and what helps.`,
    refusal.at,
  );
}

function standbyRestricted({ device }: ExplainFacts): Reason | null {
  if (device.standbyBucket !== 'restricted') return null;
  return reason(
    'standby-restricted',
    'Android has put the app into the restricted bucket: about one run a day.',
    'Use the app, or lift its battery restriction in the settings.',
  );
}

function serverAskedToWait({ askedToWaitUntil, status }: ExplainFacts): Reason | null {
  if (askedToWaitUntil === null) return null;
  return reason(
    'server-asked-to-wait',
    'The server has asked to be left alone for a while.',
    null,
    status.lastFailure?.at ?? null,
    askedToWaitUntil,
  );
}

function withoutRemote({ hasRemote }: ExplainFacts): Reason | null {
  if (hasRemote) return null;
  return reason(
    'no-remote',
    'Nothing is sent from here: the backend was made without a remote.',
    'Pass a remote to createBackend, or let another process with a remote sync this database.',
  );
}

function offline({ device, status, hasRemote }: ExplainFacts): Reason | null {
  if (!hasRemote) return null;
  const isUnreachable = status.blockedBy?.reason === 'offline';
  if (device.isConnected !== false && !isUnreachable) return null;
  const since = isUnreachable ? (status.lastFailure?.at ?? null) : null;
  const until = status.blockedBy?.until ?? null;
  if (device.isConnected === true) {
    const foreign = isUnreachable ? foreignIn(status) : undefined;
    const why = foreign === undefined ? '' : `: ${foreign.words}`;
    return reason(
      'offline',
      `There is a network, but the server could not be reached over it${why}; it is tried again by itself.`,
      foreign?.action ?? null,
      since,
      until,
    );
  }
  return reason('offline', 'There is no network.', 'Connect to a network.', since, until);
}

function serverFailing({ status, askedToWaitUntil }: ExplainFacts): Reason | null {
  const { blockedBy, lastFailure } = status;
  if (blockedBy?.reason !== 'gate' || askedToWaitUntil !== null) return null;
  const what = lastFailure?.status === undefined ? 'fails' : `answers ${lastFailure.status}`;
  const foreign = foreignIn(status);
  const why = foreign === undefined ? `The server ${what}` : `Nothing is taken: ${foreign.words}`;
  return reason(
    'server-failing',
    `${why}; it is tried again by itself.`,
    foreign?.action ?? null,
    lastFailure?.at ?? null,
    blockedBy.until,
  );
}

/** Somebody else answered, or nobody at that address speaks the protocol. */
function foreignIn({ lastFailure }: SyncStatus): ReturnType<typeof foreignAnswer> | undefined {
  return lastFailure?.code === 'remote/protocol' ? foreignAnswer(lastFailure.status) : undefined;
}

/** What helps against each, and what it is called. */
const WORDS: Readonly<Record<UnmetConstraint, string>> = {
  connectivity: 'a network',
  unmetered: 'an unmetered network',
  metered: 'a metered network',
  'not-roaming': 'a network without roaming',
  charging: 'a charger',
  'battery-not-low': 'a battery that is not low',
  'storage-not-low': 'free storage',
  'device-idle': 'an idle device',
};

function constraintUnmet({ config, device, state }: ExplainFacts): Reason | null {
  if (config === null) return null;
  const unmet = hardUnmet(config.constraints, device);
  if (unmet.length === 0) return null;
  const words = unmet.map((constraint) => WORDS[constraint]).join(' and ');
  const since = unmet.map((constraint) => state.unmetSince[constraint] ?? Infinity);
  const earliest = Math.min(...since);
  return reason(
    'constraint-unmet',
    `Background runs wait for ${words}, as the app has configured them.`,
    OPEN_THE_APP,
    Number.isFinite(earliest) ? earliest : null,
  );
}

function powerSaving({ device }: ExplainFacts): Reason | null {
  if (device.isPowerSaving !== true) return null;
  return reason(
    'power-saving',
    'The device saves power and holds background work back.',
    'Charge the device, or switch the saver off.',
  );
}

function conflictsWaiting({ status }: ExplainFacts): Reason | null {
  const { conflicts } = status;
  if (conflicts === 0) return null;
  const what = conflicts === 1 ? 'One conflict waits' : `${conflicts} conflicts wait`;
  return reason(
    'conflicts-waiting',
    `${what} for a decision; later writes of the same entity wait behind it.`,
    'Decide with resolveConflict. What the app decides by itself is decided when the app next syncs.',
  );
}

function deadLetters({ status }: ExplainFacts): Reason | null {
  const { dead } = status;
  if (dead === 0) return null;
  const what = dead === 1 ? 'One write was refused and is' : `${dead} writes were refused and are`;
  return reason(
    'dead-letters',
    `${what} kept as ${dead === 1 ? 'a dead letter' : 'dead letters'}.`,
    'Retry or discard: nothing is sent again by itself.',
  );
}

/** A run without an end that could still be at work was not killed. */
const LONGEST_RUN_MS = 3_600_000;

/** The platform began a run, and nothing of the app took it up. */
function runDidNotStart({ history }: ExplainFacts): Reason | null {
  const taken = history.findLastIndex(({ source }) => source !== 'platform');
  const missed = history.slice(taken + 1);
  const [first] = missed;
  if (first === undefined) return null;
  const what =
    missed.length === 1 ? 'the last background run' : `the last ${missed.length} background runs`;
  return reason(
    'run-did-not-start',
    `The system began ${what}, but the app's JavaScript did not come up in time, or defines no background sync.`,
    'Call defineBackgroundSync at module scope of the entry file; nexus-store doctor looks for it.',
    first.beganAt,
  );
}

function runWasKilled({ history, now }: ExplainFacts): Reason | null {
  const last = history.at(-1);
  if (last?.source === 'service-and-platform')
    return reason(
      'run-was-killed',
      `The system ended the last background run before it had finished (${last.stopReason ?? 'unknown'}).`,
      null,
      last.beganAt,
    );
  if (last === undefined || last.source === 'platform' || last.endedAt !== null) return null;
  const isNewer = now - last.beganAt < LONGEST_RUN_MS && last.stoppedBy === null;
  const laterRun = history.some(({ endedAt }) => endedAt !== null && endedAt > last.beganAt);
  if (laterRun) return null;
  return reason(
    'run-was-killed',
    isNewer
      ? 'The last background run has not ended: it is at work, or the system killed it.'
      : 'The system killed the last background run before it ended.',
    null,
    last.beganAt,
  );
}

const USUAL_BUDGET_MS = 25_000;

/** The last run had nothing to hold it up but the clock, and what waited then still waits. */
function runWasTooShort({ history, config, status }: ExplainFacts): Reason | null {
  const last = history.at(-1);
  if (last === undefined || last.source !== 'service' || last.joined !== null) return null;
  const isCut = last.stoppedBy === 'deadline' && last.pushed === 0 && (last.remaining ?? 0) > 0;
  if (!isCut || (status.oldestPendingAt ?? Infinity) > last.beganAt) return null;
  const isOurDoing = config !== null && config.budget < USUAL_BUDGET_MS;
  return reason(
    'run-was-too-short',
    'The last background run was over before anything could be sent. Writes of low priority need ten seconds of it.',
    isOurDoing ? 'Raise budget in the configuration: 25 seconds are usual.' : OPEN_THE_APP,
    last.beganAt,
  );
}

/** Since the system last woke the app, or accepted to, or something began to wait. */
function waitingSince({ history, state, status }: ExplainFacts): number | null {
  const known = [history.at(-1)?.beganAt, state.acceptedAt, status.oldestPendingAt].filter(
    (at) => at !== null && at !== undefined,
  );
  return known.length === 0 ? null : Math.max(...known);
}

function notWoken(facts: ExplainFacts): Reason | null {
  const { config, now, state, isSupported, device } = facts;
  const since = waitingSince(facts);
  if (config === null || !config.enabled || !isSupported || since === null) return null;
  if (device.appState === 'foreground') return null;
  const everyMs = Math.max(config.minInterval, hintedIntervalMs(state, now) ?? 0);
  if (now - since < 2 * everyMs) return null;
  return reason(
    'not-woken',
    `The system has not woken the app for ${inWords(now - since)}. When it does is its own choice; an app that was swiped away is not woken at all on iOS and on some Android phones until it is opened.`,
    OPEN_THE_APP,
    since,
  );
}

function notYetDue({ status, now }: ExplainFacts): Reason | null {
  const { nextAttemptAt, blockedBy } = status;
  if (blockedBy !== null || nextAttemptAt === null || nextAttemptAt <= now) return null;
  return reason('not-yet-due', 'The next attempt is not due yet.', null, null, nextAttemptAt);
}

function waitingForWakeUp(facts: ExplainFacts): Reason {
  const earliest = Object.values(facts.state.asked).filter((at) => at > facts.now);
  return reason(
    'waiting-for-wake-up',
    'Nothing stands in the way: the next wake-up takes it along.',
    OPEN_THE_APP,
    waitingSince(facts),
    earliest.length === 0 ? null : Math.min(...earliest),
  );
}

const MINUTE_MS = 60_000;

function inWords(ms: number): string {
  const minutes = Math.round(ms / MINUTE_MS);
  if (minutes < 120) return `${minutes} minutes`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} hours` : `${Math.round(hours / 24)} days`;
}
