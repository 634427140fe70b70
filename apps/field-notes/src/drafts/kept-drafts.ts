// What is typed and not saved yet, of all notes and all tabs. It is no note yet, so it is kept beside the
// store and never sent. It outlives a reload, a crash of the tab and the end of the browser.
import { useSyncExternalStore } from 'react';
import { hasFields, unsavedFields, type Edits } from '../model/edits.ts';
import { EMPTY_DRAFT, type Note } from '../model/note.ts';
import { Observed, useObserved } from '../observed.ts';
import { thisTab } from './tab.ts';

/** Where a draft is kept: one by user, note and tab. */
export interface DraftPlace {
  readonly principal: string;
  /** A note that was never saved has the id that it will have. */
  readonly noteId: string;
  readonly tab: string;
}

export interface KeptDraft extends DraftPlace {
  readonly edits: Edits;
  /** The report that the note is about, or null. */
  readonly reportId: string | null;
  /** Epoch milliseconds. */
  readonly changedAt: number;
}

const PREFIX = 'field-notes.draft.';

/** Also what the browser had no room for, as long as the page is open. */
const kept: Observed<ReadonlyMap<string, KeptDraft>> = new Observed(readAll());

window.addEventListener('storage', ({ key }) => {
  if (key === null) kept.set(readAll());
  else if (key.startsWith(PREFIX)) readAgain(key);
});

/** Another tab has changed it. All others stay as they are here, where there may have been no room for them. */
function readAgain(key: string): void {
  const next = new Map(kept.current);
  const draft = readDraft(key);
  if (draft === undefined) next.delete(key);
  else next.set(key, draft);
  kept.set(next);
}

export function keepDraft(draft: KeptDraft): void {
  const key = keyOf(draft);
  kept.set(new Map(kept.current).set(key, draft));
  const { edits, reportId, changedAt } = draft;
  try {
    localStorage.setItem(key, JSON.stringify({ edits, reportId, changedAt }));
  } catch {
    // A full disk: the text stays in the page, and saving says what to do.
  }
}

export function keptDraft(place: DraftPlace): KeptDraft | undefined {
  return kept.current.get(keyOf(place));
}

export function dropDraft(place: DraftPlace): void {
  const key = keyOf(place);
  const rest = new Map(kept.current);
  if (!rest.delete(key)) return;
  kept.set(rest);
  try {
    localStorage.removeItem(key);
  } catch {
    // No storage, so it was never there.
  }
}

/**
 * The draft that an editor of this tab begins with: its own, else one that a tab left when it ended, which
 * becomes its own.
 *
 * @param living the tabs that are open: what they hold stays theirs
 * @param isStored there is such a note. Of one that there is not yet, another tab's draft is all there is to
 *   show: then the editor begins with a copy of it
 */
export function takeDraft(
  principal: string,
  noteId: string,
  living: ReadonlySet<string>,
  isStored: boolean,
): KeptDraft | undefined {
  const tab = thisTab();
  const all = draftsOf(principal).filter((draft) => draft.noteId === noteId);
  const own = all.find((draft) => draft.tab === tab);
  if (own !== undefined) return own;
  const left = newestFirst(all.filter((draft) => !living.has(draft.tab)))[0];
  if (left === undefined) return isStored ? undefined : newestFirst(all)[0];
  const taken = { ...left, tab };
  keepDraft(taken);
  dropDraft(left);
  return taken;
}

export function draftsOf(principal: string): readonly KeptDraft[] {
  return [...kept.current.values()].filter((draft) => draft.principal === principal);
}

export function forgetDrafts(principal: string): void {
  for (const draft of draftsOf(principal)) dropDraft(draft);
}

/** The newest draft of each note, newest first. */
export function useDrafts(principal: string): readonly KeptDraft[] {
  useObserved(kept);
  const all = newestFirst(draftsOf(principal));
  return all.filter(
    (draft, index) => all.findIndex(({ noteId }) => noteId === draft.noteId) === index,
  );
}

/** Whether some tab has, or has left, text for this note that saving would change it by. */
export function useIsUnsaved(principal: string, note: Note): boolean {
  return useSyncExternalStore(kept.subscribe, () =>
    draftsOf(principal).some(
      ({ noteId, edits }) => noteId === note.id && hasFields(unsavedFields(note, edits)),
    ),
  );
}

function newestFirst(drafts: readonly KeptDraft[]): readonly KeptDraft[] {
  return drafts.toSorted((a, b) => b.changedAt - a.changedAt);
}

function keyOf({ principal, noteId, tab }: DraftPlace): string {
  return PREFIX + [principal, noteId, tab].map(encodeURIComponent).join('/');
}

function placeOf(key: string): DraftPlace | undefined {
  try {
    const [principal, noteId, tab] = key.slice(PREFIX.length).split('/').map(decodeURIComponent);
    if (principal === undefined || noteId === undefined || tab === undefined) return undefined;
    return { principal, noteId, tab };
  } catch {
    return undefined;
  }
}

function readAll(): ReadonlyMap<string, KeptDraft> {
  const found = new Map<string, KeptDraft>();
  try {
    for (const key of Object.keys(localStorage)) {
      const draft = key.startsWith(PREFIX) ? readDraft(key) : undefined;
      if (draft !== undefined) found.set(key, draft);
    }
  } catch {
    // No storage: drafts live as long as the page.
  }
  return found;
}

/** Undefined for what an older version of the app, or something else, has left there. */
function readDraft(key: string): KeptDraft | undefined {
  const place = placeOf(key);
  try {
    const read = JSON.parse(localStorage.getItem(key) ?? 'null') as Partial<KeptDraft> | null;
    if (place === undefined || !read?.edits?.base || !read.edits.fields) return undefined;
    const { edits, reportId = null, changedAt = 0 } = read;
    const base = { ...EMPTY_DRAFT, ...edits.base };
    return { ...place, edits: { base, fields: edits.fields }, reportId, changedAt };
  } catch {
    return undefined;
  }
}
