import type { Entry, Reason, ReasonCode, SyncPriority, SyncStatus } from 'nexus-store';
import type { SyncMark } from 'nexus-store/react';
import { isUnreachable, missingOf } from './missing-words.ts';

/** How the whole app stands with the server, in one word for styles and one sentence for people. */
export interface Standing {
  readonly mood: 'calm' | 'busy' | 'waiting' | 'attention';
  readonly short: string;
  readonly sentence: string;
}

export interface StandingFacts {
  readonly status: SyncStatus;
  readonly pending: number;
  readonly isOnline: boolean;
}

const many = (count: number, one: string, more = `${one}s`): string =>
  count === 1 ? `1 ${one}` : `${count} ${more}`;

/** What only a person can end comes first, then what is happening, then what waits. */
export function standingOf({ status, pending, isOnline }: StandingFacts): Standing {
  const { blockedBy, conflicts, dead, phase } = status;
  if (phase === 'closed') return { mood: 'calm', short: 'Opening', sentence: '' };
  if (blockedBy?.reason === 'unauthorised')
    return attention('Sign in again', 'The server no longer accepts your sign-in.');
  if (blockedBy?.reason === 'upgrade-required')
    return attention('Update needed', 'The server asks for a newer version of this app.');
  if (conflicts + dead > 0) {
    const short = [
      ...(conflicts > 0 ? [many(conflicts, 'conflict')] : []),
      ...(dead > 0 ? [`${dead} refused`] : []),
    ];
    const long = [
      ...(conflicts > 0 ? [`${many(conflicts, 'note')} changed here and on the server`] : []),
      ...(dead > 0 ? [`${many(dead, 'change')} refused by the server`] : []),
    ];
    return attention(short.join(', '), `${long.join(', ')}: please decide.`);
  }
  if (blockedBy?.reason === 'paused')
    return waiting(count('Paused', pending), 'Sending is paused.');
  if (!isOnline || isUnreachable(status)) {
    const rest =
      pending === 0 ? '' : ` ${many(pending, 'change')} wait${pending === 1 ? 's' : ''}.`;
    return waiting(count('Offline', pending), `No connection to the server.${rest}`);
  }
  if (pending > 0) {
    const sentence = `${many(pending, 'change')} on the way to the server.`;
    const isSending = phase === 'pushing' || status.claimed > 0;
    return isSending
      ? { mood: 'busy', short: `Sending ${pending}`, sentence }
      : waiting(`${pending} waiting`, sentence);
  }
  const missing = missingOf({ status, isOnline });
  if (missing?.kind === 'coming')
    return { mood: 'busy', short: 'Fetching', sentence: missing.sentence };
  if (missing !== null) return waiting('Could not fetch', missing.sentence);
  return { mood: 'calm', short: 'All sent', sentence: 'Everything is on the server.' };
}

const attention = (short: string, sentence: string): Standing => ({
  mood: 'attention',
  short,
  sentence,
});
const waiting = (short: string, sentence: string): Standing => ({
  mood: 'waiting',
  short,
  sentence,
});
const count = (word: string, pending: number): string =>
  pending === 0 ? word : `${word} · ${pending}`;

/** A note's own mark. */
export const MARK_WORDS: Readonly<Record<SyncMark, string>> = {
  unknown: '',
  pending: 'Saved here',
  claimed: 'Sending',
  synced: 'On the server',
  dead: 'Refused',
  conflict: 'Conflict',
};

export const PRIORITY_WORDS: Readonly<Record<SyncPriority, string>> = {
  critical: 'Critical',
  high: 'High',
  normal: 'Normal',
  low: 'Low',
};

/** What an entry does, for a list. */
export function entryWords({ operation, collection }: Entry): string {
  const thing = collection === 'notes' ? 'note' : collection;
  const verb = { create: 'New', update: 'Changed', delete: 'Deleted', command: 'Command on' };
  return `${verb[operation]} ${thing}`;
}

/** Why the last attempt failed, in words; the server's own reason where it gave one. */
export function refusalWords({ lastFailure }: Entry): string {
  if (lastFailure === null) return 'No reason is known.';
  const { code, detail } = lastFailure;
  if (code === 'queue/base-discarded') return 'The note it belongs to was given up.';
  return detail === undefined || detail === '' ? `The server’s answer was ${code}.` : detail;
}

/** What to do about a reason, where the library speaks to developers. */
const ACTIONS: Readonly<Partial<Record<ReasonCode, string>>> = {
  paused: 'Choose “Send again” above.',
  unauthorised: 'Sign in again, under Account. Nothing you wrote is lost.',
  'conflicts-waiting': 'Decide them in the list above.',
  'dead-letters': 'Change and save the note, send it again, or give the change up: see above.',
  cancelled: 'Keep the app open: it sends while it is in front.',
  disabled: 'Keep the app open: it sends while it is in front.',
  'not-initialized': 'Reload the app.',
  unsupported: 'Keep the app open: it sends while it is in front.',
};

export function actionWords({ code, action }: Reason): string | null {
  return ACTIONS[code] ?? action;
}
