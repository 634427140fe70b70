// What somebody has typed and not saved yet. It outlives a reload and a crash of the tab; it is no note yet,
// so it is kept beside the store and never sent.
import { useCallback, useState } from 'react';
import { changedFields, type Draft } from './model/note.ts';

export interface KeptDraft {
  readonly draft: Draft;
  /** The note as it was when the first key was pressed: a new one is empty. */
  readonly base: Draft;
}

export interface DraftInHand extends KeptDraft {
  readonly isChanged: boolean;
  readonly change: (fields: Partial<Draft>) => void;
  /** It was saved, or given up. */
  readonly forget: () => void;
}

const PREFIX = 'field-notes.draft.';

const keyOf = (principal: string, noteId: string): string => `${PREFIX}${principal}/${noteId}`;

/** @param stored the note as the store has it now */
export function useDraft(principal: string, noteId: string, stored: Draft): DraftInHand {
  const key = keyOf(principal, noteId);
  const [kept, setKept] = useState(() => readDraft(key));
  const { draft, base } = kept ?? { draft: stored, base: stored };
  const isChanged = Object.keys(changedFields(base, draft)).length > 0;
  const change = (fields: Partial<Draft>): void => {
    const next = { draft: { ...draft, ...fields }, base };
    setKept(next);
    keep(key, next);
  };
  const forget = useCallback(() => {
    setKept(undefined);
    keep(key, undefined);
  }, [key]);
  return { draft, base, isChanged, change, forget };
}

export function forgetDrafts(principal: string): void {
  const own = Object.keys(localStorage).filter((key) => key.startsWith(keyOf(principal, '')));
  for (const key of own) localStorage.removeItem(key);
}

function readDraft(key: string): KeptDraft | undefined {
  try {
    const text = localStorage.getItem(key);
    return text === null ? undefined : (JSON.parse(text) as KeptDraft);
  } catch {
    return undefined; // not ours, or no storage: the note itself is what counts
  }
}

function keep(key: string, kept: KeptDraft | undefined): void {
  try {
    if (kept === undefined) localStorage.removeItem(key);
    else localStorage.setItem(key, JSON.stringify(kept));
  } catch {
    // A full disk: the text stays in the editor, and saving says what to do.
  }
}
