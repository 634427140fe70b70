import type { Entry } from 'nexus-store';
import { usePendingChanges, type SyncMark } from 'nexus-store/react';
import { backend, notes } from '../app-field.ts';
import { useAttempt } from '../hooks.ts';
import type { Note } from '../model/note.ts';
import { Failure } from '../parts/failure.tsx';
import { paths } from '../route.ts';
import { refusalWords } from '../words/sync-words.ts';
import { sendAgain } from './save-note.ts';

export interface NoteTroubleProps {
  readonly note: Note;
  readonly mark: SyncMark;
  /** It was sent again, as a note with another id. */
  readonly onReplaced: (id: string) => void;
}

/** What keeps a note from the server until a person decides, and the ways to decide. */
export function NoteTrouble({ note, mark, onReplaced }: NoteTroubleProps) {
  const { value: lane = [] } = usePendingChanges(notes, { entityId: note.id });
  const { error, attempt } = useAttempt();
  const sendNow = async (refused: Entry): Promise<void> => {
    const id = await sendAgain(note, refused);
    if (id !== note.id) onReplaced(id);
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
        <button type="button" onClick={() => attempt(() => sendNow(entry))}>
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
