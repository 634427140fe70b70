import { PRIORITIES, type SyncPriority } from 'nexus-store';
import { useItem, useItems, usePendingChanges, useSyncStatus } from 'nexus-store/react';
import { memo, useDeferredValue, useState, type ReactNode } from 'react';
import { backend, notes } from '../app-field.ts';
import { useDrafts, useIsUnsaved, type KeptDraft } from '../drafts/kept-drafts.ts';
import { useAnswer, useMissing } from '../hooks.ts';
import { edited } from '../model/edits.ts';
import { completeNote, matchesNote, nameOf, type Note } from '../model/note.ts';
import { Failure } from '../parts/failure.tsx';
import { Heading } from '../parts/heading.tsx';
import { Icon } from '../parts/icon.tsx';
import { FilterChips, SearchField, ShowMore, useShownCount } from '../parts/list-tools.tsx';
import { DraftMark, NoteMark, PriorityChip } from '../parts/marks.tsx';
import { paths } from '../route.ts';
import type { Missing } from '../words/missing-words.ts';
import { PRIORITY_WORDS } from '../words/sync-words.ts';
import { fullTimeWords, timeWords } from '../words/time-words.ts';

type Filter = 'all' | 'unsent' | SyncPriority;

const FILTERS: readonly { readonly value: Filter; readonly label: string }[] = [
  { value: 'all', label: 'All' },
  { value: 'unsent', label: 'Not sent yet' },
  ...PRIORITIES.map((value) => ({ value, label: PRIORITY_WORDS[value] })),
];
const MOST_UNSENT = 5_000;

export interface NoteListProps {
  readonly principal: string;
  readonly openId: string | null;
  /** Nothing is open beside it. */
  readonly isAlone: boolean;
}

export function NoteList({ principal, openId, isAlone }: NoteListProps) {
  const [search, setSearch] = useState('');
  const [filter, setFilter] = useState<Filter>('all');
  const words = useDeferredValue(search.trim());
  const { status, value, error, refresh } = useItems(notes, {
    orderBy: { field: 'changedAt', direction: 'descending' },
  });
  const unsent = useUnsentIds();
  const missing = useMissing();
  const all = (value ?? []).map(completeNote);
  const found = all.filter((note) => isWanted(note, words, filter, unsent.has(note.id)));
  const { shown, showMore } = useShownCount(`${words} ${filter}`);
  return (
    <section className="list" aria-label="Notes">
      <div className="list-head">
        <Heading title="Notes" takesFocus={isAlone}>
          Notes
        </Heading>
        <a className="button primary" href={paths.newNote}>
          <Icon name="plus" />
          New note
        </a>
      </div>
      <SearchField label="Search notes" value={search} onChange={setSearch} />
      <FilterChips label="Which notes" options={FILTERS} value={filter} onChange={setFilter} />
      {status === 'failed' && <Failure error={error} onRetry={refresh} />}
      <ul className="rows" aria-label="Never saved">
        <DraftRows principal={principal} openId={openId} words={words} filter={filter} />
      </ul>
      <p className="count" role="status">
        {status === 'loading' ? 'Reading …' : countWords(found.length, all.length, missing)}
      </p>
      <ul className="rows">
        {found.slice(0, shown).map((note) => (
          <NoteRow key={note.id} principal={principal} note={note} isOpen={note.id === openId} />
        ))}
      </ul>
      <ShowMore left={found.length - shown} onMore={showMore} />
    </section>
  );
}

/** The notes that the server does not have as they are here. */
function useUnsentIds(): ReadonlySet<unknown> {
  const { value: waiting = [] } = usePendingChanges(notes, { limit: MOST_UNSENT });
  const dead = useSyncStatus((status) => status.dead);
  const letters = useAnswer(() => backend.deadLetters({ collection: notes.collection }), [dead]);
  return new Set([...waiting, ...(letters ?? [])].map(({ entityId }) => entityId));
}

function isWanted(note: Note, words: string, filter: Filter, isUnsent: boolean): boolean {
  if (filter === 'unsent' ? !isUnsent : filter !== 'all' && note.priority !== filter) return false;
  return words === '' || matchesNote(note, words);
}

function countWords(found: number, all: number, missing: Missing | null): string {
  if (all === 0) return missing?.sentence ?? 'Nothing written yet.';
  const notesWord = found === 1 ? 'note' : 'notes';
  const count = found === all ? `${found} ${notesWord}` : `${found} of ${all} notes`;
  if (missing !== null) return `${count} so far. ${missing.sentence}`;
  return found === 0 ? 'No note is like that.' : count;
}

interface DraftRowsProps {
  readonly principal: string;
  readonly openId: string | null;
  readonly words: string;
  readonly filter: Filter;
}

/** What was begun and never saved. It has no note, so it would be nowhere to be seen. */
function DraftRows({ principal, openId, words, filter }: DraftRowsProps) {
  return useDrafts(principal)
    .map((draft) => ({ draft, note: noteOf(draft) }))
    .filter(({ note }) => isWanted(note, words, filter, true))
    .map(({ draft, note }) => (
      <DraftRow key={note.id} draft={draft} note={note} isOpen={note.id === openId} />
    ));
}

const noteOf = ({ noteId, edits, reportId, changedAt }: KeptDraft): Note =>
  completeNote({ ...edited(edits.base, edits), id: noteId, reportId, changedAt });

interface RowProps {
  readonly note: Note;
  readonly isOpen: boolean;
}

function DraftRow({ draft, note, isOpen }: RowProps & { readonly draft: KeptDraft }) {
  const { status, value } = useItem(notes, draft.noteId);
  if (status !== 'ready' || value !== undefined) return null;
  return (
    <RowLink
      href={paths.unsavedNote(draft.noteId, draft.reportId)}
      note={note}
      isOpen={isOpen}
      mark={<DraftMark />}
    />
  );
}

const NoteRow = memo(
  function NoteRow({ principal, note, isOpen }: RowProps & { readonly principal: string }) {
    const isUnsaved = useIsUnsaved(principal, note);
    const mark = isUnsaved ? <DraftMark /> : <NoteMark id={note.id} />;
    return <RowLink href={paths.note(note.id)} note={note} isOpen={isOpen} mark={mark} />;
  },
  // Completed anew each time; what is in it is the store's own, and the same while nothing changed.
  (a, b) =>
    a.principal === b.principal &&
    a.isOpen === b.isOpen &&
    a.note.id === b.note.id &&
    a.note.changedAt === b.note.changedAt &&
    a.note.title === b.note.title &&
    a.note.text === b.note.text &&
    a.note.site === b.note.site &&
    a.note.priority === b.note.priority &&
    a.note.photos === b.note.photos,
);

interface RowLinkProps extends RowProps {
  readonly href: string;
  readonly mark: ReactNode;
}

function RowLink({ href, note, isOpen, mark }: RowLinkProps) {
  const { title, site, text, priority, photos, changedAt } = note;
  const name = nameOf(note);
  // A name that was made of the text stands there already.
  const isTextShown = text !== '' && (title.trim() !== '' || name !== text.trim());
  return (
    <li>
      <a className="row" href={href} aria-current={isOpen ? 'true' : undefined}>
        <span className="row-top">
          <span className="row-title">{name}</span>
          <time dateTime={new Date(changedAt).toISOString()} title={fullTimeWords(changedAt)}>
            {timeWords(changedAt)}
          </time>
        </span>
        {site !== '' && <span className="row-site">{site}</span>}
        {isTextShown && <span className="row-text">{text}</span>}
        <span className="row-foot">
          <PriorityChip priority={priority} />
          {photos.length > 0 && (
            <span className="faint">
              {photos.length === 1 ? '1 photo' : `${photos.length} photos`}
            </span>
          )}
          {mark}
        </span>
      </a>
    </li>
  );
}
