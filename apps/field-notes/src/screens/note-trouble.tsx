import type { Entry } from 'nexus-store';
import { usePendingChanges, type SyncMark } from 'nexus-store/react';
import { useState } from 'react';
import { backend, notes } from '../app-field.ts';
import type { Note } from '../model/note.ts';
import { Failure } from '../parts/failure.tsx';
import { goInstead, paths } from '../route.ts';
import { refusalWords } from '../words/sync-words.ts';
import { sendAgain } from './save-note.ts';

export interface NoteTroubleProps {
  readonly note: Note;
  readonly mark: SyncMark;
}

async function sendNow(note: Note, refused: Entry): Promise<void> {
  const id = await sendAgain(note, refused);
  if (id !== note.id) goInstead(paths.note(id));
}

/** What keeps a note from the server until a person decides, and the ways to decide. */
export function NoteTrouble({ note, mark }: NoteTroubleProps) {
  const { value: lane = [] } = usePendingChanges(notes, { entityId: note.id });
  const [error, setError] = useState<unknown>();
  const attempt = (act: () => Promise<unknown>): void => {
    setError(undefined);
    act().catch(setError);
  };
  const entry = lane.find(({ state }) => state === mark);
  if (entry === undefined) return null;
  if (mark === 'conflict')
    return (
      <div className="notice" data-tone="conflict">
        <p>
          <strong>Someone else changed this note too.</strong> Nothing is overwritten until you
          decide.
        </p>
        <a className="button primary" href={paths.conflict(entry.id)}>
          Compare and decide
        </a>
      </div>
    );
  if (mark !== 'dead') return null;
  return (
    <div className="notice" data-tone="bad">
      <p>
        <strong>The server refused this note.</strong> {refusalWords(entry)}
      </p>
      <p>It is kept here. Change it and save, send it again as it is, or give the change up.</p>
      <div className="actions">
        <button type="button" onClick={() => attempt(() => sendNow(note, entry))}>
          Send again
        </button>
        <button
          type="button"
          className="quiet"
          onClick={() => attempt(() => backend.discard(entry.id))}
        >
          Give the change up
        </button>
      </div>
      {error !== undefined && <Failure error={error} />}
    </div>
  );
}
