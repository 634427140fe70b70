import { useItem } from 'nexus-store/react';
import { useEffect, useMemo, useState } from 'react';
import { backend, notes } from '../app-field.ts';
import { DraftInHand, type Stored } from '../drafts/draft-in-hand.ts';
import { takeDraft } from '../drafts/kept-drafts.ts';
import { livingTabs } from '../drafts/tab.ts';
import { useAnswer, useMissing } from '../hooks.ts';
import { completeNote, draftOf, EMPTY_DRAFT, type Note } from '../model/note.ts';
import { useObserved } from '../observed.ts';
import { Failure } from '../parts/failure.tsx';
import { goInstead, paths, routeOf, type NotesRoute } from '../route.ts';
import { NoteEditor } from './note-editor.tsx';
import { NoteList } from './note-list.tsx';

export interface NotesScreenProps {
  readonly principal: string;
  readonly route: NotesRoute;
}

/** List and editor: side by side where there is room, one at a time on a phone. */
export function NotesScreen({ principal, route }: NotesScreenProps) {
  const { id, stage, aboutReport } = route;
  const isAlone = id === null && stage === 'stored';
  return (
    <div className="split" data-shows={isAlone ? 'list' : 'detail'}>
      <NoteList principal={principal} openId={id} isAlone={isAlone} />
      <section className="detail" aria-label="Note">
        {isAlone && (
          <p className="empty">
            Choose a note, or <a href={paths.newNote}>write a new one</a>.
          </p>
        )}
        {stage === 'to-begin' && <BeginNote aboutReport={aboutReport} />}
        {/* The same editor before and after the first save: nobody is interrupted. */}
        {id !== null && (
          <OpenNote
            key={id}
            principal={principal}
            id={id}
            isNew={stage === 'new'}
            aboutReport={aboutReport}
          />
        )}
      </section>
    </div>
  );
}

/** Gives a new note its id before anything is typed: however often it is saved, it is one note. */
function BeginNote({ aboutReport }: { readonly aboutReport: string | null }) {
  useEffect(() => {
    const route = routeOf(location.hash);
    if (route.screen !== 'notes' || route.stage !== 'to-begin') return;
    goInstead(paths.unsavedNote(backend.runtime.ids.uuid(), aboutReport));
  }, [aboutReport]);
  return null;
}

interface OpenNoteProps {
  readonly principal: string;
  readonly id: string;
  /** It was not saved yet when it was opened. */
  readonly isNew: boolean;
  readonly aboutReport: string | null;
}

function OpenNote(props: OpenNoteProps) {
  const { id } = props;
  const { status, value, error, refresh } = useItem(notes, id);
  const living = useAnswer(livingTabs, [id]);
  if (status === 'failed') return <Failure error={error} onRetry={refresh} />;
  if (status === 'loading' || living === undefined)
    return <p className="empty">Reading the note …</p>;
  return <NoteInHand {...props} value={value} living={living} />;
}

interface NoteInHandProps extends OpenNoteProps {
  /** The same object as long as nothing changes. */
  readonly value: Note | undefined;
  readonly living: ReadonlySet<string>;
}

function NoteInHand({ principal, id, isNew, aboutReport, value, living }: NoteInHandProps) {
  const note = useMemo(() => (value === undefined ? null : completeNote(value)), [value]);
  const [hand] = useState(() => {
    const taken = takeDraft(principal, id, living, note !== null);
    return new DraftInHand(principal, id, note?.reportId ?? aboutReport, taken);
  });
  const { edits, saved } = useObserved(hand);
  const [last, setLast] = useState(note);
  if (note !== null && note !== last) setLast(note);
  const stored: Stored = {
    draft: draftOf(note ?? last ?? edits?.base ?? EMPTY_DRAFT),
    version: value,
  };
  useEffect(() => hand.land(stored), [hand, value]);
  const missing = useMissing();
  if (note === null && !isNew && edits === undefined && saved === undefined)
    return (
      <p className="empty">
        {missing?.sentence ??
          'This note is no longer here: it was deleted, or it belongs to somebody else.'}{' '}
        <a href={paths.notes}>All notes</a>
      </p>
    );
  return (
    <NoteEditor id={id} note={note} hand={hand} stored={stored} isGone={note === null && !isNew} />
  );
}
