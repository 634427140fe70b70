import { usePendingChanges } from 'nexus-store/react';
import { PriorityChip } from '../parts/marks.tsx';
import { timeWords, untilWords } from '../words/time-words.ts';
import type { Entry } from 'nexus-store';
import { EntryTitle } from './decisions.tsx';

const SHOWN = 50;

/** The queue, in the order in which it is sent. */
export function WaitingList() {
  const { value: waiting } = usePendingChanges(undefined, { limit: SHOWN });
  const entries = (waiting ?? []).filter(({ state }) => state !== 'conflict');
  if (entries.length === 0) return null;
  return (
    <section className="card" aria-labelledby="waiting-title">
      <h2 id="waiting-title">Next to be sent</h2>
      <ol className="entries">
        {entries.map((entry) => (
          <li key={entry.id}>
            <div>
              <EntryTitle entry={entry} />
              <p className="faint">{entryFacts(entry)}</p>
            </div>
            <PriorityChip priority={entry.effectivePriority} />
          </li>
        ))}
      </ol>
      {entries.length === SHOWN && <p className="faint">And what waits behind them.</p>}
    </section>
  );
}

function entryFacts(entry: Entry): string {
  const { state, enqueuedAt, attempts, notBefore } = entry;
  const until = notBefore === null ? null : untilWords(notBefore);
  return [
    state === 'claimed' ? 'being sent' : `written ${timeWords(enqueuedAt)}`,
    ...(attempts > 0 ? [attempts === 1 ? 'tried once' : `tried ${attempts} times`] : []),
    ...(until === null ? [] : [`again ${until}`]),
  ].join(' · ');
}
