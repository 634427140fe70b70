import { PRIORITIES } from 'nexus-store';
import { useSyncMark } from 'nexus-store/react';
import { useRef, useState, type KeyboardEvent, type SyntheticEvent } from 'react';
import { notes } from '../app-field.ts';
import { useDraft, type DraftInHand } from '../drafts.ts';
import { DRAFT_FIELDS, draftOf, isSameField, type Draft, type Note } from '../model/note.ts';
import { Failure } from '../parts/failure.tsx';
import { Heading } from '../parts/heading.tsx';
import { Icon } from '../parts/icon.tsx';
import { FilterChips } from '../parts/list-tools.tsx';
import { NoteMark } from '../parts/marks.tsx';
import { PhotosField } from '../parts/photos-field.tsx';
import { say } from '../parts/toast.tsx';
import { go, goInstead, NEW, paths } from '../route.ts';
import { FIELD_WORDS } from '../words/field-words.ts';
import { PRIORITY_WORDS } from '../words/sync-words.ts';
import { NoteTrouble } from './note-trouble.tsx';
import { ReportCard } from './report-card.tsx';
import { deleteNote, saveChanges, saveNewNote } from './save-note.ts';

const PRIORITY_OPTIONS = PRIORITIES.map((value) => ({ value, label: PRIORITY_WORDS[value] }));

export interface NoteEditorProps {
  readonly principal: string;
  /** null: a new one. */
  readonly note: Note | null;
  readonly stored: Draft;
  readonly aboutReport: string | null;
}

export function NoteEditor({ principal, note, stored, aboutReport }: NoteEditorProps) {
  const inHand = useDraft(principal, note?.id ?? `${NEW}?${aboutReport ?? ''}`, draftOf(stored));
  const { draft, base, isChanged, change, forget } = inHand;
  const mark = useSyncMark(notes, note?.id);
  const [error, setError] = useState<unknown>();
  const form = useRef<HTMLFormElement>(null);
  const isLocked = note !== null && mark === 'conflict';
  const attempt = async (write: () => Promise<void>): Promise<void> => {
    try {
      setError(undefined);
      await write();
    } catch (failure) {
      setError(failure);
    }
  };
  const save = (event: SyntheticEvent): void => {
    event.preventDefault();
    void attempt(async () => {
      const id =
        note === null
          ? await saveNewNote(draft, aboutReport)
          : await saveChanges(note, draft, base);
      forget();
      if (id !== note?.id) goInstead(paths.note(id));
      say('Saved on this device.');
    });
  };
  const remove = (given: Note): void =>
    void attempt(async () => {
      const bringBack = await deleteNote(given);
      forget();
      go(paths.notes);
      say('Note deleted.', { label: 'Undo', run: () => void bringBack() });
    });
  const saveByKey = (event: KeyboardEvent): void => {
    const isSave = event.key === 'Enter' || event.key === 's';
    if (!isSave || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    form.current?.requestSubmit();
  };
  return (
    <form className="editor" ref={form} onSubmit={save} onKeyDown={saveByKey}>
      <div className="detail-head">
        <a className="back" href={paths.notes}>
          <Icon name="back" />
          <span className="back-label">Notes</span>
        </a>
        <Heading title={note === null ? 'New note' : draft.title || 'Untitled'}>
          {note === null ? 'New note' : 'Note'}
        </Heading>
        <span className="detail-mark">
          {isChanged ? (
            <span className="mark" data-mark="draft">
              Not saved yet
            </span>
          ) : (
            note !== null && <NoteMark id={note.id} />
          )}
        </span>
      </div>
      {note !== null && <NoteTrouble note={note} mark={mark} />}
      {note !== null && <Meanwhile inHand={inHand} current={stored} />}
      <fieldset className="fields" disabled={isLocked}>
        <legend className="hidden">The note</legend>
        <label>
          {FIELD_WORDS.title}
          <input
            value={draft.title}
            required
            maxLength={200}
            onChange={(event) => change({ title: event.target.value })}
          />
        </label>
        <label>
          {FIELD_WORDS.site}
          <input
            value={draft.site}
            maxLength={200}
            placeholder="Hangar 3, north wall"
            onChange={(event) => change({ site: event.target.value })}
          />
        </label>
        <div>
          <span className="label" aria-hidden="true">
            {FIELD_WORDS.priority}
          </span>
          <FilterChips
            label={FIELD_WORDS.priority}
            options={PRIORITY_OPTIONS}
            value={draft.priority}
            onChange={(priority) => change({ priority })}
          />
        </div>
        <label>
          {FIELD_WORDS.text}
          <textarea
            value={draft.text}
            rows={8}
            onChange={(event) => change({ text: event.target.value })}
          />
        </label>
        <PhotosField photos={draft.photos} onChange={(photos) => change({ photos })} />
        {aboutReport !== null && <ReportCard id={aboutReport} />}
      </fieldset>
      {error !== undefined && <Failure error={error} />}
      <div className="actions">
        <button
          type="submit"
          className="primary"
          disabled={isLocked || (note !== null && !isChanged)}
          aria-keyshortcuts="Control+Enter"
        >
          Save
        </button>
        {isChanged && (
          <button type="button" onClick={forget}>
            {note === null ? 'Clear' : 'Undo changes'}
          </button>
        )}
        {note !== null && !isLocked && (
          <button type="button" className="quiet" onClick={() => remove(note)}>
            Delete note
          </button>
        )}
      </div>
    </form>
  );
}

/** Somebody else has changed the same field of the stored note since typing began. */
function Meanwhile({ inHand, current }: { readonly inHand: DraftInHand; readonly current: Draft }) {
  const { draft, base } = inHand;
  const both = DRAFT_FIELDS.filter(
    (field) =>
      !isSameField(field, base, current) &&
      !isSameField(field, base, draft) &&
      !isSameField(field, current, draft),
  );
  if (both.length === 0) return null;
  return (
    <div className="notice" data-tone="wait" role="status">
      <p>
        While you were writing, someone changed the same{' '}
        {both.map((field) => FIELD_WORDS[field]).join(', ')}. Saving puts yours in its place; “Undo
        changes” shows theirs.
      </p>
    </div>
  );
}
