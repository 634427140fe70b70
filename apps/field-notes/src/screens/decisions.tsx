import { useItem, usePendingChanges, useSyncStatus } from 'nexus-store/react';
import type { Entry } from 'nexus-store';
import { backend, notes } from '../app-field.ts';
import { useAnswer } from '../hooks.ts';
import { completeNote, nameOf } from '../model/note.ts';
import { say } from '../parts/toast.tsx';
import { paths } from '../route.ts';
import { entryWords, refusalWords } from '../words/sync-words.ts';

type Attempt = (act: () => Promise<unknown>) => void;

const MOST_READ = 1_000;

/** What only a person can decide: conflicts, and what the server has refused. */
export function Decisions({ attempt }: { readonly attempt: Attempt }) {
  return (
    <>
      <Conflicts />
      <DeadLetters attempt={attempt} />
    </>
  );
}

function Conflicts() {
  const { value: waiting = [] } = usePendingChanges(undefined, { limit: MOST_READ });
  const conflicts = waiting.filter(({ state }) => state === 'conflict');
  if (conflicts.length === 0) return null;
  return (
    <section className="card" data-tone="conflict" aria-labelledby="conflicts-title">
      <h2 id="conflicts-title">Conflicts ({conflicts.length})</h2>
      <p className="faint">
        Someone else changed the same note. Nothing is overwritten until you decide.
      </p>
      <ul className="entries">
        {conflicts.map((entry) => (
          <li key={entry.id}>
            <EntryTitle entry={entry} />
            <a className="button primary" href={paths.conflict(entry.id)}>
              Compare and decide
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}

function DeadLetters({ attempt }: { readonly attempt: Attempt }) {
  const dead = useSyncStatus((status) => status.dead);
  const letters = useAnswer(() => backend.deadLetters(), [dead]) ?? [];
  if (dead === 0 || letters.length === 0) return null;
  const retryAll = async (): Promise<void> => {
    const count = await backend.retryAll();
    say(count === 1 ? '1 change will be sent again.' : `${count} changes will be sent again.`);
  };
  return (
    <section className="card" data-tone="bad" aria-labelledby="dead-title">
      <h2 id="dead-title">Refused by the server ({letters.length})</h2>
      <p className="faint">
        Nothing of it is lost, and nothing is sent again by itself. Other notes are not held up.
      </p>
      <ul className="entries">
        {letters.map((entry) => (
          <li key={entry.id}>
            <div>
              <EntryTitle entry={entry} />
              <p>{refusalWords(entry)}</p>
            </div>
            <div className="actions">
              <button type="button" onClick={() => attempt(() => backend.retry(entry.id))}>
                Send again
              </button>
              <button
                type="button"
                className="quiet"
                onClick={() => attempt(() => backend.discard(entry.id))}
              >
                Give up
              </button>
            </div>
          </li>
        ))}
      </ul>
      <div className="actions">
        <button type="button" onClick={() => attempt(retryAll)}>
          Send all again
        </button>
        <button type="button" onClick={() => attempt(downloadLetters)}>
          Save as a file
        </button>
      </div>
    </section>
  );
}

/** For support: what was refused, with its reason. */
async function downloadLetters(): Promise<void> {
  const url = URL.createObjectURL(new Blob([await backend.export()], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = 'field-notes-refused.json';
  link.click();
  URL.revokeObjectURL(url);
}

/** Which note an entry is about. */
export function EntryTitle({ entry }: { readonly entry: Entry }) {
  const id = String(entry.entityId);
  const { value } = useItem(notes, entry.collection === 'notes' ? id : null);
  const payload = entry.payload as { readonly title?: unknown } | null;
  const title = typeof payload?.title === 'string' ? payload.title : id;
  return (
    <p className="entry-title">
      <span className="faint">{entryWords(entry)}</span>{' '}
      {value === undefined ? title : <a href={paths.note(id)}>{nameOf(completeNote(value))}</a>}
    </p>
  );
}
