import type { Outcome, SyncFailure } from '../model/outcome.ts';

// What an outcome says, by itself: of the way to the server, of the server, of the entry.

export type Retry = Extract<Outcome, { kind: 'retry' }>;
export type Rejected = Extract<Outcome, { kind: 'rejected' }>;
export type Applied = Extract<Outcome, { kind: 'applied' }>;

/** True if no answer came, or one that is not our server's: a captive portal says 200. */
export function isOfflineFailure({ status, code }: SyncFailure): boolean {
  if (status !== undefined && status >= 400) return false;
  return code === 'remote/offline' || code === 'remote/timeout' || code === 'remote/protocol';
}

/** True if no answer of the server's came, nor a wish of its own to be left alone. */
export function isNoWay(outcome: Outcome): outcome is Retry {
  if (outcome.kind !== 'retry' || outcome.scope !== 'endpoint') return false;
  const { failure, withheld, upgradeRequired, retryAfterMs } = outcome;
  const isAsked = retryAfterMs !== undefined || failure.status === 429;
  return !isAsked && withheld !== true && upgradeRequired !== true;
}

export function isServerError(outcome: Outcome): outcome is Retry {
  if (outcome.kind !== 'retry' || outcome.scope !== 'entry') return false;
  const { status } = outcome.failure;
  return status === 500 || status === 507;
}

export function isTooLarge(outcome: Outcome): outcome is Extract<Outcome, { kind: 'too-large' }> {
  return outcome.kind === 'too-large';
}

export function isAmbiguous(outcome: Outcome): boolean {
  return outcome.kind === 'retry' && outcome.ambiguous;
}

/** True if it may have been said to anybody: a 403 often is of the user, or of a proxy. */
export function isSweeping(outcome: Outcome): outcome is Rejected {
  if (outcome.kind !== 'rejected') return false;
  return outcome.sweeping === true || outcome.failure.status === 403;
}

/**
 * What it is if somebody before the server has said it: no way to the server. A 403 is left as it is, since servers
 * say it of entries as well.
 */
export function asNoWay(outcome: Outcome): Outcome {
  if (outcome.kind !== 'rejected' || outcome.sweeping !== true) return outcome;
  const failure: SyncFailure = { ...outcome.failure, code: 'remote/protocol' };
  return { kind: 'retry', scope: 'endpoint', ambiguous: false, failure };
}

/** True if the server looked at the entry and could judge it. */
export function isWorking(outcome: Outcome): boolean {
  switch (outcome.kind) {
    case 'applied':
    case 'conflict':
    case 'too-large':
      return true;
    case 'rejected':
      return !isSweeping(outcome);
    case 'retry':
      return outcome.scope === 'entry' && !outcome.ambiguous && !isServerError(outcome);
    case 'unauthorised':
      return false;
  }
}
