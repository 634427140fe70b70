import { LIMIT, requireOptions, type Kinds } from '../model/arguments.ts';
import { QueueError } from '../model/errors.ts';
import type { PriorityRank } from '../model/priority.ts';
import { utf8Length } from '../model/utf8-length.ts';
import type { Counters } from './queue-state.ts';
import { entryBytes } from './records.ts';

/** The most that one queue may hold. */
export interface QueueLimits {
  readonly maxEntries: number;
  /** Of all payloads as text, with about 100 for each entry's columns. */
  readonly maxBytes: number;
  /** Of one payload as UTF-8 text, with about 100 for its columns. The default fits what `@nexus-store/server` takes in one request. */
  readonly maxEntryBytes: number;
}

export const DEFAULT_LIMITS: QueueLimits = {
  maxEntries: 100_000,
  maxBytes: 50_000_000,
  maxEntryBytes: 4_000_000,
};

const LIMITS: Kinds<QueueLimits> = { maxEntries: LIMIT, maxBytes: LIMIT, maxEntryBytes: LIMIT };

/** @throws UsageError `usage/invalid-argument`, naming the limit */
export function requireLimits(limits: Partial<QueueLimits> | undefined): void {
  if (limits !== undefined) requireOptions('limits', limits, LIMITS);
}

/** The share of the limits that only critical writes may use. */
const CRITICAL_RESERVE = 0.1;

/**
 * Checked in the write's own transaction, so that neither row nor entry is written beyond a limit.
 *
 * @throws QueueError `queue/full`
 */
export function checkRoom(
  counters: Counters,
  growth: { readonly entries: 0 | 1; readonly bytes: number },
  priority: PriorityRank,
  limits: QueueLimits,
): void {
  // What shrinks the queue is welcome in a full one.
  if (growth.entries === 0 && growth.bytes <= 0) return;
  const share = priority === 0 ? 1 : 1 - CRITICAL_RESERVE;
  const [critical, high, normal, low] = counters.pending;
  const entries = critical + high + normal + low + counters.dead + counters.conflicts;
  const isFull = growth.entries > 0 && entries + 1 > Math.floor(limits.maxEntries * share);
  if (!isFull && counters.bytes + growth.bytes <= limits.maxBytes * share) return;
  throw new QueueError(
    'queue/full',
    `the queue holds ${entries} entries of ${counters.bytes} bytes (limits ${limits.maxEntries} and ${limits.maxBytes}, the last tenth for critical writes): sync, discard dead letters, or raise the limits`,
  );
}

/** True if one entry may carry this payload. */
export function isEntrySize(payload: string | null, limits: QueueLimits): boolean {
  return payload === null || bytesBeyond(payload, limits) === undefined;
}

/** @throws QueueError `queue/entry-too-large` */
export function checkEntrySize(payload: string | null, limits: QueueLimits): void {
  if (payload === null) return;
  const bytes = bytesBeyond(payload, limits);
  if (bytes === undefined) return;
  throw new QueueError(
    'queue/entry-too-large',
    `the value takes ${bytes} bytes as text, more than maxEntryBytes (${limits.maxEntryBytes}): store large data beside the queue and save a reference`,
  );
}

/** How much an entry would take that is too large, in words; undefined if it fits. */
function bytesBeyond(payload: string, limits: QueueLimits): string | undefined {
  // A unit of UTF-16 is three bytes at most: few texts have to be counted.
  const overhead = entryBytes('');
  if (payload.length * 3 + overhead <= limits.maxEntryBytes) return undefined;
  // In bytes, since that is what servers take: a text of theirs may be three times as long as it looks.
  const isFar = payload.length + overhead > 2 * limits.maxEntryBytes;
  const bytes = (isFar ? payload.length : utf8Length(payload)) + overhead;
  if (bytes <= limits.maxEntryBytes) return undefined;
  return `${isFar ? 'more than ' : ''}${bytes}`;
}
