import type { SyncStatus } from 'nexus-store';

/** Why a list may not show all that the server has. */
export interface Missing {
  /** `coming`: it is being fetched for the first time. */
  readonly kind: 'coming' | 'failed';
  readonly sentence: string;
}

export interface MissingFacts {
  readonly status: SyncStatus;
  readonly isOnline: boolean;
  /** @defaultValue `'your notes'` */
  readonly what?: string;
}

/**
 * Null: what the server has is here, as of the last time that it was heard. An empty list means nothing before
 * that, and must not be called one.
 */
export function missingOf({ status, isOnline, what = 'your notes' }: MissingFacts): Missing | null {
  if (status.phase === 'closed') return { kind: 'coming', sentence: 'Reading …' };
  const isFirst = status.lastSyncedAt === null;
  const isCutOff = !isOnline || isUnreachable(status);
  if (isFirst) {
    if (isCutOff) return failed('no connection to the server', isFirst);
    if (status.blockedBy?.reason === 'paused') return failed('sync is paused', isFirst);
  }
  // What waits says by itself why it could not be sent, and so does a device that is cut off.
  const isTold = !isFirst && (isCutOff || hasPending(status));
  if (isLate(status) && !isTold) return failed(reasonOf(status), isFirst);
  return isFirst ? { kind: 'coming', sentence: `Fetching ${what} …` } : null;
}

/** Whether the last thing that was heard of the server is that it cannot be heard. */
export function isUnreachable(status: SyncStatus): boolean {
  if (status.blockedBy?.reason === 'offline') return true;
  const code = status.lastFailure?.code;
  return isLate(status) && (code === 'remote/offline' || code === 'remote/timeout');
}

/** Something failed after this device was last in step with the server. */
function isLate({ lastFailure, lastSyncedAt }: SyncStatus): boolean {
  return (lastFailure?.at ?? 0) > (lastSyncedAt ?? 0);
}

function hasPending({ pending: { critical, high, normal, low } }: SyncStatus): boolean {
  return critical + high + normal + low > 0;
}

function failed(reason: string, isFirst: boolean): Missing {
  const effect = isFirst ? 'incomplete' : 'out of date';
  return { kind: 'failed', sentence: `Could not fetch: ${reason}. What you see may be ${effect}.` };
}

const REASONS: Readonly<Record<string, string>> = {
  'remote/unauthorised': 'the server no longer accepts your sign-in',
  'remote/upgrade-required': 'the server asks for a newer version of this app',
};

function reasonOf({ lastFailure }: SyncStatus): string {
  const { code = '', status } = lastFailure ?? {};
  const known = REASONS[code];
  if (known !== undefined) return known;
  return status === undefined ? `the answer was ${code}` : `the server answered ${status}`;
}
