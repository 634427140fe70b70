import type { Entry, EntityId } from '../../core/model/entry.ts';
import type { SyncEvent } from '../../core/model/events.ts';
import type { SyncFailure } from '../../core/model/outcome.ts';
import type { SyncPriority } from '../../core/model/priority.ts';
import type { SyncStatus } from '../../core/sync/sync-status.ts';
import { pendingTotal } from '../../core/sync/sync-status.ts';
import type { Item, SectionName } from './read-queue.ts';

/** What the inspector says, apart from how it looks. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A length of time in the one unit that says most. */
export function span(ms: number): string {
  const size = Math.max(0, ms);
  if (size < SECOND) return `${Math.round(size)} ms`;
  if (size < 10 * SECOND) return `${(Math.floor(size / 100) / 10).toFixed(1)} s`;
  if (size < MINUTE) return `${Math.floor(size / SECOND)} s`;
  if (size < HOUR) return `${Math.floor(size / MINUTE)} min`;
  if (size < DAY) return `${Math.floor(size / HOUR)} h`;
  return `${Math.floor(size / DAY)} d`;
}

/** For ages and countdowns, which are looked at again each second. */
export function seconds(ms: number): string {
  return ms < MINUTE ? `${Math.max(0, Math.round(ms / SECOND))} s` : span(ms);
}

export function count(value: number): string {
  return value.toLocaleString('en-GB');
}

export function counted(value: number, one: string, many: string = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

export function timeOfDay(at: number): string {
  return new Date(at).toLocaleTimeString('en-GB');
}

const SHORT = 28;

/** Long ids keep both ends: the end of a UUIDv7 is what tells two of them apart. */
export function short(text: string, length: number = SHORT): string {
  if (text.length <= length) return text;
  return `${text.slice(0, Math.ceil(length / 2) - 1)}…${text.slice(-(Math.floor(length / 2) - 1))}`;
}

export function entityOf({
  collection,
  entityId,
}: {
  collection: string;
  entityId: EntityId;
}): string {
  return `${collection}/${short(String(entityId))}`;
}

/** Control characters of others do not reach the screen. */
export function plain(text: string, length = 300): string {
  const shown = text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ');
  return shown.length > length ? `${shown.slice(0, length)}…` : shown;
}

export function failureText({ code, status }: SyncFailure): string {
  return status === undefined ? code : `${status} ${code}`;
}

// ---- the state of the whole ----------------------------------------------------------------------

export type Mood = 'calm' | 'busy' | 'waiting' | 'stopped';

export interface Headline {
  readonly mood: Mood;
  readonly title: string;
  readonly detail: string;
}

const BLOCKS = {
  offline: 'Offline',
  unauthorised: 'Signed out by the server',
  gate: 'The server asked to wait',
  paused: 'Paused',
  'upgrade-required': 'The server wants a newer app',
} as const;

export function headlineOf(status: SyncStatus, now: number): Headline {
  const total = pendingTotal(status);
  const left = total === 0 ? 'Nothing waits' : `${counted(total, 'entry', 'entries')} waiting`;
  const due = status.nextAttemptAt;
  const next = due === null || due <= now ? '' : `, next attempt in ${seconds(due - now)}`;
  if (status.phase === 'closed') return headline('stopped', 'Closed', 'The database is not open');
  if (status.phase === 'pushing' && status.progress !== null) {
    const { done, total: all } = status.progress;
    return headline('busy', 'Sending', `${count(done)} of ${count(all)}`);
  }
  if (status.phase === 'pulling') return headline('busy', 'Fetching', left);
  if (status.blockedBy !== null) {
    const { reason } = status.blockedBy;
    const mood = reason === 'paused' || reason === 'offline' ? 'waiting' : 'stopped';
    return headline(mood, BLOCKS[reason], `${left}${next}`);
  }
  if (total > 0) return headline('waiting', 'Waiting', `${left}${next}`);
  if (status.conflicts + status.dead > 0)
    return headline('waiting', 'Needs a decision', decisions(status));
  return headline('calm', 'All synced', 'Everything written here is on the server');
}

function headline(mood: Mood, title: string, detail: string): Headline {
  return { mood, title, detail };
}

function decisions({ conflicts, dead }: SyncStatus): string {
  return [
    ...(conflicts > 0 ? [counted(conflicts, 'conflict')] : []),
    ...(dead > 0 ? [counted(dead, 'dead letter')] : []),
  ].join(', ');
}

/** What stands in the way, as far as the status knows; one sentence each. */
export function reasonsOf(status: SyncStatus, now: number): readonly string[] {
  const { blockedBy, conflicts, dead, lastFailure, phase } = status;
  const total = pendingTotal(status);
  const { title, detail } = headlineOf(status, now);
  const isStuck = blockedBy !== null && phase !== 'closed';
  return [
    ...(isStuck ? [`${BLOCKED_SENTENCES[blockedBy.reason]}${untilOf(blockedBy.until, now)}.`] : []),
    ...(total > 0 && lastFailure !== null
      ? [
          `The last attempt failed: ${failureText(lastFailure)}, ${seconds(now - lastFailure.at)} ago.`,
        ]
      : []),
    ...(conflicts > 0
      ? [`${counted(conflicts, 'conflict')} to decide; what comes after waits.`]
      : []),
    ...(dead > 0
      ? [`${counted(dead, 'dead letter')}: retry or discard, nothing goes again by itself.`]
      : []),
    ...(isStuck || total + conflicts + dead > 0 ? [] : [`${title}. ${detail}.`]),
    ...(!isStuck && total > 0 && lastFailure === null ? [`${title}. ${detail}.`] : []),
  ];
}

const BLOCKED_SENTENCES = {
  offline: 'The server could not be reached',
  unauthorised: 'The server refused the credentials: sign in again',
  gate: 'The server asked to wait, or kept failing',
  paused: 'Sync is paused: resume it',
  'upgrade-required': 'The server wants a newer version of the app',
} as const;

function untilOf(until: number | null, now: number): string {
  return until === null || until <= now ? '' : `; the next attempt is in ${seconds(until - now)}`;
}

// ---- one entry -----------------------------------------------------------------------------------

export const SECTION_TITLES: Readonly<Record<SectionName, string>> = {
  sending: 'Being sent',
  critical: 'Critical',
  high: 'High',
  normal: 'Normal',
  low: 'Low',
  'backing-off': 'Waiting for their next attempt',
  after: 'Waiting for others',
  conflict: 'Conflicts',
  dead: 'Dead letters',
};

/** What stands between an entry and the server, in a few words. */
export function waitsFor({ entry, place }: Item, now: number): string {
  const { notBefore } = entry;
  switch (place) {
    case 'sending':
      return 'on its way';
    case 'ready':
      return 'goes next in its turn';
    case 'behind':
      return 'waits behind the head of its lane';
    case 'after':
      return `waits for ${entry.after.join(', ')}`;
    case 'with-transaction':
      return 'goes together with its transaction';
    case 'backing-off':
      return notBefore === null || notBefore <= now
        ? 'due now'
        : `next attempt in ${seconds(notBefore - now)}`;
    case 'conflict':
      return 'waits for somebody to decide';
    default:
      return 'the server refused it';
  }
}

export function operationOf({ operation, command, isPatch }: Entry): string {
  if (command !== null) return plain(command, 24);
  return operation === 'update' && isPatch ? 'patch' : operation;
}

// ---- events --------------------------------------------------------------------------------------

export type Tone = 'good' | 'busy' | 'warn' | 'bad' | 'quiet';

export interface Said {
  readonly tone: Tone;
  readonly what: string;
  /** Of which entity, or with which details. */
  readonly about: string;
}

/** An event in words; undefined for those that would only be noise. */
export function eventWords(event: SyncEvent): Said {
  switch (event.type) {
    case 'entry-enqueued': {
      const how = event.effect === 'merged' ? 'folded into a waiting entry' : event.priority;
      return said('quiet', `Queued ${event.operation}`, `${entityOf(event)} · ${how}`);
    }
    case 'entry-vanished':
      return said('quiet', 'Nothing to send any more', entityOf(event));
    case 'push-started':
      return said('busy', 'Request left', counted(event.entryIds.length, 'entry', 'entries'));
    case 'entry-applied':
      return said('good', 'Arrived', `${entityOf(event)} · after ${span(event.waitedMs)}`);
    case 'entry-released':
      return said(
        'warn',
        'Failed, will be retried',
        `${entityOf(event)} · ${failureText(event.failure)}`,
      );
    case 'entry-buried':
      return said(
        'bad',
        'Became a dead letter',
        `${entityOf(event)} · ${failureText(event.failure)}`,
      );
    case 'entry-conflicted':
      return said('warn', 'Met a conflict', entityOf(event));
    case 'conflict-resolved':
      return said('good', `Conflict resolved: ${event.use}`, entityOf(event));
    case 'entry-cancelled':
      return said('quiet', 'Cancelled', entityOf(event));
    case 'entry-discarded':
      return said('quiet', 'Discarded', entityOf(event));
    case 'entry-retried':
      return said('busy', 'Will be sent again', entityOf(event));
    default:
      return otherWords(event);
  }
}

function otherWords(event: SyncEvent): Said {
  switch (event.type) {
    case 'claim-lost':
      return said(
        'warn',
        'Another runner took over',
        counted(event.entryIds.length, 'entry', 'entries'),
      );
    case 'gate-opened':
      return said(
        'warn',
        'Server left alone',
        `until ${timeOfDay(event.until)} · ${failureText(event.failure)}`,
      );
    case 'gate-closed':
      return said('good', 'Server answers again', '');
    case 'unauthorised':
      return said('bad', 'Credentials refused', failureText(event.failure));
    case 'upgrade-required':
      return said('bad', 'Server wants a newer app', failureText(event.failure));
    case 'answer-not-recognised':
      return said('warn', 'Not our server answered', failureText(event.failure));
    case 'sync-started':
      return said('quiet', 'Run began', event.reason);
    case 'sync-finished':
      return reportWords(event.report);
    case 'rows-pulled':
      return said('good', 'Fetched', `${counted(event.count, 'row')} of ${event.collection}`);
    case 'wake-up-began':
      return said('busy', 'Woken by the system', event.reason);
    case 'wake-up-ended':
      return said('quiet', 'Wake-up ended', `${event.result} · ${count(event.pushed)} sent`);
    case 'critical-allowance-exceeded':
      return said('warn', 'Too many critical wake-ups', `more than ${event.allowance} in an hour`);
    case 'record-damaged':
      return said('bad', 'A damaged record was set aside', event.table);
    default:
      return said('quiet', (event as { readonly type: string }).type, '');
  }
}

function reportWords(report: Extract<SyncEvent, { type: 'sync-finished' }>['report']): Said {
  const { pushed, pulled, stoppedBy, durationMs } = report;
  const parts = [
    ...(pushed > 0 ? [`${count(pushed)} sent`] : []),
    ...(pulled > 0 ? [`${count(pulled)} fetched`] : []),
    stoppedBy,
    span(durationMs),
  ];
  return said(stoppedBy === 'drained' ? 'quiet' : 'warn', 'Run ended', parts.join(' · '));
}

function said(tone: Tone, what: string, about: string): Said {
  return { tone, what, about };
}

export const PRIORITY_TITLES: Readonly<Record<SyncPriority, string>> = {
  critical: 'Critical',
  high: 'High',
  normal: 'Normal',
  low: 'Low',
};
