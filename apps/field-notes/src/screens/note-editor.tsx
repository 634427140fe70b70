import { PRIORITIES } from 'nexus-store';
import { useSyncMark } from 'nexus-store/react';
import { useRef, type KeyboardEvent, type SyntheticEvent } from 'react';
import { notes } from '../app-field.ts';
import { useIsUnsaved } from '../drafts/kept-drafts.ts';
import { hasFields } from '../model/edits.ts';
import {
  changedFields,
  DRAFT_FIELDS,
  isSameField,
  nameOf,
  type Draft,
  type Note,
} from '../model/note.ts';
import { Failure } from '../parts/failure.tsx';
import { Heading } from '../parts/heading.tsx';
import { Icon } from '../parts/icon.tsx';
import { FilterChips } from '../parts/list-tools.tsx';
import { DraftMark, NoteMark } from '../parts/marks.tsx';
import { PhotosField } from '../parts/photos-field.tsx';
import { say } from '../parts/toast.tsx';
import { go, goInstead, isNoteOpen, paths } from '../route.ts';
import { session } from '../session.ts';
import { failureWords } from '../words/failure-words.ts';
import { FIELD_WORDS } from '../words/field-words.ts';
import { PRIORITY_WORDS } from '../words/sync-words.ts';
import { NoteTrouble } from './note-trouble.tsx';
import { ReportCard } from './report-card.tsx';
import { deleteNote } from './save-note.ts';
import { useSaving, type OpenedNote } from './use-saving.ts';

const PRIORITY_OPTIONS = PRIORITIES.map((value) => ({ value, label: PRIORITY_WORDS[value] }));

export interface NoteEditorProps extends OpenedNote {
  /** It was in the store, and is no more. */
  readonly isGone: boolean;
}

export function NoteEditor({ isGone, ...opened }: NoteEditorProps) {
  const { id, note, hand, stored } = opened;
  const mark = useSyncMark(notes, note?.id);
  const form = useRef<HTMLFormElement>(null);
  const { save, attempt, isRunning, error } = useSaving(opened);
  const draft = hand.shown(stored);
  const isChanged = hasFields(changedFields(hand.before(stored), draft));
  const isLocked = note !== null && mark === 'conflict';
  const change = (fields: Partial<Draft>): void => hand.change(stored, fields);
  const isTheirs = (): boolean => session.current.user?.principal === hand.principal;
  const remove = (given: Note): void =>
    attempt(async () => {
      const bringBack = await deleteNote(given, hand.principal);
      const keepAfterAll = hand.forget();
      // The disk was slow, and somebody has signed out meanwhile.
      if (!isTheirs()) return;
      if (isNoteOpen(id)) go(paths.notes);
      const undo = (): void => {
        if (isTheirs()) keepAfterAll();
        bringBack().catch((failure: unknown) => say(failureWords(failure).what));
      };
      say('Note deleted.', { label: 'Undo', run: undo });
    });
  const followReplaced = (newId: string): void => {
    hand.moveTo(newId);
    if (isNoteOpen(id)) goInstead(paths.note(newId));
  };
  const onSubmit = (event: SyntheticEvent): void => {
    event.preventDefault();
    if (!isLocked) save();
  };
  const saveByKey = (event: KeyboardEvent): void => {
    const isSave = event.key === 'Enter' || event.key === 's';
    if (!isSave || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    form.current?.requestSubmit();
  };
  return (
    <form className="editor" ref={form} onSubmit={onSubmit} onKeyDown={saveByKey}>
      <div className="detail-head">
        <a className="back" href={paths.notes}>
          <Icon name="back" />
          <span className="back-label">Notes</span>
        </a>
        <Heading title={note === null ? 'New note' : nameOf(draft)}>
          {note === null ? 'New note' : 'Note'}
        </Heading>
        <span className="detail-mark">
          {isChanged ? <DraftMark /> : note !== null && <NoteMark id={note.id} />}
        </span>
      </div>
      {isGone && (
        <p className="notice" data-tone="wait" role="status">
          This note was deleted while you were writing. Saving puts it back as it is here.
        </p>
      )}
      {note !== null && <NoteTrouble note={note} mark={mark} onReplaced={followReplaced} />}
      {note !== null && <Meanwhile hand={hand} stored={stored} />}
      {note !== null && !isChanged && <Elsewhere principal={hand.principal} note={note} />}
      <fieldset className="fields" disabled={isLocked}>
        <legend className="hidden">The note</legend>
        <label>
          {FIELD_WORDS.title}
          <input
            value={draft.title}
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
        {hand.reportId !== null && <ReportCard id={hand.reportId} />}
      </fieldset>
      {error !== undefined && <Failure error={error} />}
      <div className="actions">
        <button
          type="submit"
          className="primary"
          aria-disabled={isLocked || !isChanged}
          aria-keyshortcuts="Control+Enter"
          aria-busy={isRunning}
        >
          Save
        </button>
        {isChanged && (
          <button type="button" onClick={() => hand.forget()}>
            {note === null ? 'Clear' : 'Undo changes'}
          </button>
        )}
        {note !== null && !isLocked && (
          <button
            type="button"
            className="quiet"
            aria-disabled={isRunning}
            onClick={() => remove(note)}
          >
            Delete note
          </button>
        )}
      </div>
    </form>
  );
}

/** Somebody else has changed the same field of the stored note since typing began. */
function Meanwhile({ hand, stored }: Pick<OpenedNote, 'hand' | 'stored'>) {
  const { edits } = hand.current;
  if (edits === undefined) return null;
  const [current, shown] = [hand.before(stored), hand.shown(stored)];
  const both = DRAFT_FIELDS.filter(
    (field) =>
      field in edits.fields &&
      !isSameField(field, edits.base, current) &&
      !isSameField(field, current, shown),
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

/** Text that is typed elsewhere stays there: two who write must not type into each other's text. */
function Elsewhere({ principal, note }: { readonly principal: string; readonly note: Note }) {
  if (!useIsUnsaved(principal, note)) return null;
  return (
    <p className="notice" data-tone="wait">
      There are other changes to this note, typed in another tab and not saved.
    </p>
  );
}
