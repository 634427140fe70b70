import { useItem } from 'nexus-store/react';
import { notes } from '../app-field.ts';
import { completeNote, EMPTY_DRAFT } from '../model/note.ts';
import { Failure } from '../parts/failure.tsx';
import { NEW, paths } from '../route.ts';
import { NoteEditor } from './note-editor.tsx';
import { NoteList } from './note-list.tsx';

export interface NotesScreenProps {
  readonly principal: string;
  readonly id: string | null;
  readonly aboutReport: string | null;
}

/** List and editor: side by side where there is room, one at a time on a phone. */
export function NotesScreen({ principal, id, aboutReport }: NotesScreenProps) {
  return (
    <div className="split" data-shows={id === null ? 'list' : 'detail'}>
      <NoteList openId={id} />
      <section className="detail" aria-label="Note">
        {id === null && (
          <p className="empty">
            Choose a note, or <a href={paths.newNote}>write a new one</a>.
          </p>
        )}
        {id === NEW && (
          <NoteEditor
            key={`${NEW} ${aboutReport}`}
            principal={principal}
            note={null}
            stored={EMPTY_DRAFT}
            aboutReport={aboutReport}
          />
        )}
        {id !== null && id !== NEW && <OpenNote key={id} principal={principal} id={id} />}
      </section>
    </div>
  );
}

function OpenNote({ principal, id }: { readonly principal: string; readonly id: string }) {
  const { status, value, error, refresh } = useItem(notes, id);
  if (status === 'failed') return <Failure error={error} onRetry={refresh} />;
  if (status === 'loading') return <p className="empty">Reading the note …</p>;
  if (value === undefined)
    return (
      <p className="empty">
        This note is no longer here: it was deleted, or it belongs to somebody else.{' '}
        <a href={paths.notes}>All notes</a>
      </p>
    );
  const note = completeNote(value);
  return <NoteEditor principal={principal} note={note} stored={note} aboutReport={note.reportId} />;
}
