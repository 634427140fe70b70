import { useLayoutEffect, useRef, useState } from 'react';
import type { DraftInHand, Stored } from '../drafts/draft-in-hand.ts';
import { hasFields } from '../model/edits.ts';
import { changedFields, draftOf, type Note } from '../model/note.ts';
import { say } from '../parts/toast.tsx';
import { goInstead, isNoteOpen, paths } from '../route.ts';
import { saveFields, saveWhole } from './save-note.ts';

/** What an editor has open. */
export interface OpenedNote {
  readonly id: string;
  /** null: it is not in the store. */
  readonly note: Note | null;
  readonly hand: DraftInHand;
  readonly stored: Stored;
}

export interface Saving {
  /** Saves what is shown at this moment. While a save runs, what was typed since is saved after it. */
  readonly save: () => void;
  /** Runs something else that writes, unless something runs already. */
  readonly attempt: (write: () => Promise<void>) => void;
  readonly isRunning: boolean;
  readonly error: unknown;
}

/** The writes of one editor, one at a time. */
export function useSaving(opened: OpenedNote): Saving {
  const latest = useRef(opened);
  useLayoutEffect(() => {
    latest.current = opened;
  });
  const run = useRef({ isOn: false, isAskedAgain: false });
  const [isRunning, setIsRunning] = useState(false);
  const [error, setError] = useState<unknown>();
  const attempt = (write: () => Promise<void>): void => {
    if (run.current.isOn) return;
    run.current.isOn = true;
    setIsRunning(true);
    setError(undefined);
    void write()
      .catch(setError)
      .finally(() => {
        run.current.isOn = false;
        setIsRunning(false);
      });
  };
  const save = (): void => {
    run.current.isAskedAgain = true;
    attempt(async () => {
      while (run.current.isAskedAgain) {
        run.current.isAskedAgain = false;
        if ((await saveOnce(() => latest.current)) === 'elsewhere') return;
      }
    });
  };
  return { save, attempt, isRunning, error };
}

/** `elsewhere`: what is left to save belongs to another note by now. */
async function saveOnce(latest: () => OpenedNote): Promise<'here' | 'elsewhere'> {
  const { id, note, hand, stored } = latest();
  const before = hand.before(stored);
  const asked = hand.shown(stored);
  const fields = changedFields(before, asked);
  if (!hasFields(fields)) return 'here';
  const saved =
    note === null
      ? await saveWhole({ ...asked, id, reportId: hand.reportId })
      : await saveFields({ ...note, ...before }, fields);
  hand.keepRest(latest().stored, asked, draftOf(saved));
  say('Saved on this device.');
  const isElsewhere = saved.id !== id;
  if (isElsewhere) hand.moveTo(saved.id);
  // Whoever has gone on to something else meanwhile is not called back.
  if ((isElsewhere || note === null) && isNoteOpen(id)) goInstead(paths.note(saved.id));
  return isElsewhere ? 'elsewhere' : 'here';
}
