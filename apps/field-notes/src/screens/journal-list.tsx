import type { JournalRecord } from 'nexus-store';
import { useBackgroundSync, useSyncStatus } from 'nexus-store/react';
import { background } from '../app-field.ts';
import { useAnswer } from '../hooks.ts';
import { fullTimeWords } from '../words/time-words.ts';

const SHOWN = 20;

/** What the last background runs did, the newest first. */
export function JournalList() {
  const { status } = useBackgroundSync();
  const syncedAt = useSyncStatus(({ lastSyncedAt }) => lastSyncedAt);
  const records = useAnswer(() => background.history(), [status, syncedAt]) ?? [];
  return (
    <section className="card" aria-labelledby="journal-title">
      <h2 id="journal-title">Journal</h2>
      <p className="faint">
        Background runs of this device: of a tab that is open, or of the browser while none is.
      </p>
      {records.length === 0 ? (
        <p>None yet.</p>
      ) : (
        <ul className="entries">
          {records
            .slice(-SHOWN)
            .toReversed()
            .map((record) => (
              <li key={record.runId}>
                <div>
                  <p className="entry-title">{fullTimeWords(record.beganAt)}</p>
                  <p className="faint">{runWords(record)}</p>
                </div>
                <span
                  className="mark"
                  data-mark={record.result === 'success' ? 'synced' : 'pending'}
                >
                  {record.result === 'success'
                    ? 'Done'
                    : record.result === null
                      ? 'Cut off'
                      : 'Again later'}
                </span>
              </li>
            ))}
        </ul>
      )}
    </section>
  );
}

const PLACES: Readonly<Record<JournalRecord['appState'], string>> = {
  foreground: 'app in front',
  background: 'app in the background',
  headless: 'no page open',
  unknown: 'no page seen',
};

function runWords(record: JournalRecord): string {
  const { appState, beganAt, endedAt, pushed, pulled, error, remaining } = record;
  return [
    PLACES[appState],
    ...(endedAt === null ? [] : [`${((endedAt - beganAt) / 1_000).toFixed(1)} s`]),
    `sent ${pushed}`,
    `received ${pulled}`,
    ...(remaining !== null && remaining > 0 ? [`${remaining} left`] : []),
    ...(error === null ? [] : [error]),
  ].join(' · ');
}
