import type { SyncFailure } from '../model/outcome.ts';
import type { SyncStatus } from '../sync/sync-status.ts';

/** Why this device does not have what is new on the server, although it has sent everything. */
export interface FetchTrouble {
  /** For people, in a sentence. */
  readonly message: string;
  readonly action: string | null;
  /** Epoch milliseconds; null if unknown. */
  readonly since: number | null;
  /** Epoch milliseconds until when nothing is tried by itself; null if unknown. */
  readonly until: number | null;
}

export interface FetchFacts {
  readonly status: SyncStatus;
  readonly hasRemote: boolean;
  /** null: the device does not say. */
  readonly isConnected: boolean | null;
}

interface Cause {
  readonly words: string;
  readonly action: string | null;
}

const SYNC_NOW = 'Open the app, or call sync.';

/** The last attempt failed, and none has worked since, in whatever context. */
export function fetchFailure({ status, isConnected }: FetchFacts): FetchTrouble | null {
  const { lastFailure, lastSyncedAt, blockedBy } = status;
  if (lastFailure === null || lastFailure.at < (lastSyncedAt ?? -Infinity)) return null;
  const { words, action } = isPaused(status) ? PAUSED : causeOf(lastFailure, isConnected);
  return {
    message: `What is new on the server could not be fetched: ${words}.`,
    action,
    since: lastFailure.at,
    until: blockedBy?.until ?? null,
  };
}

/** Nothing failed as far as is known; nobody has asked the server for anything yet. */
export function neverFetched({ status, hasRemote, isConnected }: FetchFacts): FetchTrouble | null {
  // Of a process without a remote nobody expects it, and while a run is at work it may be coming.
  if (!hasRemote || status.phase !== 'idle' || status.lastSyncedAt !== null) return null;
  const known = isPaused(status) ? PAUSED : isConnected === false ? NO_NETWORK : null;
  const because = known === null ? '' : `: ${known.words}`;
  return {
    message: `This device has never been in step with the server${because}.`,
    action: known === null ? SYNC_NOW : known.action,
    since: null,
    until: null,
  };
}

const PAUSED: Cause = { words: 'the app has paused syncing', action: 'Call resume.' };
const NO_NETWORK: Cause = { words: 'there is no network', action: 'Connect to a network.' };

function isPaused({ blockedBy }: SyncStatus): boolean {
  return blockedBy?.reason === 'paused';
}

/** @param status of HTTP; undefined: there was none */
export function foreignAnswer(status: number | undefined): Cause {
  const which = status === undefined ? '' : ` (status ${status})`;
  return {
    words: `what answered${which} was not this server, or cannot be read`,
    action:
      'Open any page in a browser: the network may want a sign-in first. If it lasts everywhere, look at the address of the server.',
  };
}

function causeOf({ code, status }: SyncFailure, isConnected: boolean | null): Cause {
  switch (code) {
    case 'remote/unauthorised':
      return { words: 'it does not accept the credentials', action: 'Sign in again.' };
    case 'remote/upgrade-required':
      return { words: 'it asks for a newer version of the app', action: 'Update the app.' };
    case 'remote/throttled':
      return { words: 'it has asked to be left alone for a while', action: null };
    case 'remote/protocol':
      return foreignAnswer(status);
    case 'remote/rejected':
      return {
        words: `it refuses${status === undefined ? '' : ` with status ${status}`}`,
        action: 'Look at what the server lets this user read.',
      };
    case 'remote/timeout':
      return { words: 'it does not answer in time', action: null };
    default:
      if (status !== undefined) return { words: `it answers ${status}`, action: null };
      if (isConnected === false) return NO_NETWORK;
      return {
        words: code === 'remote/offline' ? 'it cannot be reached' : 'it fails',
        action: null,
      };
  }
}
