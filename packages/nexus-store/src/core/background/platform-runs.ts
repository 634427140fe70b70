import type { RunResult, StopReason } from '../ports/platform-scheduler.ts';
import {
  JOURNAL_LIMIT,
  type JournalRecord,
  type NumberedRecord,
  type Revision,
} from './journal.ts';

/** One run as the platform's own log has it: also one in which no JavaScript came up, or none was left. */
export interface PlatformRun {
  readonly runId: string;
  readonly requestId: string;
  readonly attempt: number;
  /** Epoch milliseconds. */
  readonly beganAt: number;
  /** Null: the process died under it, or it is at work. */
  readonly endedAt: number | null;
  /** What the system was told in the end. */
  readonly result: RunResult | null;
  readonly stopReason: StopReason | null;
  /** What went wrong on the platform's side, as text. */
  readonly error: string | null;
}

/**
 * What the platform's log adds to the journal: the end of runs whose JavaScript did not live to write it, and
 * runs that JavaScript never took up.
 *
 * @param longestMs a run without an end that began no longer ago may be at work
 */
export function revisionFor(
  known: readonly NumberedRecord[],
  runs: readonly PlatformRun[],
  now: number,
  longestMs: number,
): Revision {
  const byRunId = new Map(known.map((numbered) => [numbered.record.runId, numbered]));
  const oldest = known.length < JOURNAL_LIMIT ? -Infinity : (known[0]?.record.beganAt ?? -Infinity);
  const changed: NumberedRecord[] = [];
  const added: JournalRecord[] = [];
  for (const run of runs) {
    const numbered = byRunId.get(run.runId);
    if (numbered !== undefined) {
      if (numbered.record.endedAt === null && run.endedAt !== null)
        changed.push({ id: numbered.id, record: endedByPlatform(numbered.record, run) });
      continue;
    }
    const mayBeAtWork = run.endedAt === null && now - run.beganAt < longestMs;
    // What the journal has dropped already does not come back.
    if (!mayBeAtWork && run.beganAt >= oldest) added.push(onlySeenByPlatform(run));
  }
  return { changed, added };
}

function endedByPlatform(record: JournalRecord, run: PlatformRun): JournalRecord {
  const { endedAt, result, stopReason, error } = run;
  return { ...record, endedAt, result, stopReason, error, source: 'service-and-platform' };
}

function onlySeenByPlatform(run: PlatformRun): JournalRecord {
  const { runId, requestId, attempt, beganAt, endedAt, result, stopReason, error } = run;
  return {
    ...{ runId, requestId, attempt, beganAt, endedAt, result, stopReason, error },
    reason: 'scheduled',
    appState: 'unknown',
    source: 'platform',
    device: null,
    unmet: [],
    joined: null,
    pushed: 0,
    pulled: 0,
    remaining: null,
    stoppedBy: null,
    tasks: [],
  };
}

/** The platform's runs were written down late: they go where they belong by their beginning. */
export function inOrder(records: readonly JournalRecord[]): readonly JournalRecord[] {
  const isLate = ({ source }: JournalRecord): boolean => source === 'platform';
  const late = records.filter(isLate).sort((a, b) => a.beganAt - b.beganAt);
  const ordered: JournalRecord[] = [];
  let next = 0;
  for (const record of records) {
    if (isLate(record)) continue;
    while (next < late.length && (late[next] as JournalRecord).beganAt < record.beganAt)
      ordered.push(late[next++] as JournalRecord);
    ordered.push(record);
  }
  return [...ordered, ...late.slice(next)];
}
