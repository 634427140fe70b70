import {
  editsSince,
  edited,
  hasFields,
  unsavedFields,
  withEdit,
  type Edits,
} from '../model/edits.ts';
import type { Draft } from '../model/note.ts';
import { Observed } from '../observed.ts';
import { dropDraft, keepDraft, keptDraft, type DraftPlace, type KeptDraft } from './kept-drafts.ts';
import { thisTab } from './tab.ts';

/** The note as the store shows it to the editor. */
export interface Stored {
  readonly draft: Draft;
  /** Another object after each change; undefined: there is no such note. */
  readonly version: object | undefined;
}

interface State {
  readonly edits: Edits | undefined;
  /** On disk, while the store still shows the version before it. */
  readonly saved: { readonly draft: Draft; readonly over: object | undefined } | undefined;
}

/** The text that an open editor holds. It is not of React's: what a save leaves of it is decided later. */
export class DraftInHand extends Observed<State> {
  readonly principal: string;
  /** The report that the note is about, or null. */
  readonly reportId: string | null;
  #noteId: string;

  /** @param taken what it begins with */
  constructor(
    principal: string,
    noteId: string,
    reportId: string | null,
    taken: KeptDraft | undefined,
  ) {
    super({ edits: taken?.edits, saved: undefined });
    this.principal = principal;
    this.reportId = taken?.reportId ?? reportId;
    this.#noteId = noteId;
  }

  /** The note without what is typed. */
  before(stored: Stored): Draft {
    const { saved } = this.current;
    return saved !== undefined && saved.over === stored.version ? saved.draft : stored.draft;
  }

  /** The note as it is shown. */
  shown(stored: Stored): Draft {
    return edited(this.before(stored), this.current.edits);
  }

  change(stored: Stored, fields: Partial<Draft>): void {
    const { edits, saved } = this.current;
    this.#set({ edits: withEdit(this.before(stored), edits, fields), saved });
  }

  /**
   * A save has succeeded. What was typed while it ran stays to be saved.
   *
   * @param asked the note as it was shown when the save began
   * @param draft the note as it was saved
   */
  keepRest(stored: Stored, asked: Draft, draft: Draft): void {
    const edits = editsSince(asked, this.shown(stored), draft);
    this.#set({ edits, saved: { draft, over: stored.version } });
  }

  /** The store has shown a version. It is right about what was saved before it. */
  land({ draft, version }: Stored): void {
    const { edits, saved } = this.current;
    if (saved !== undefined && saved.over !== version) this.set({ edits, saved: undefined });
    // It says the same: a crash came between saving and forgetting, or it was typed elsewhere too.
    const isStored = version !== undefined && !hasFields(unsavedFields(draft, edits));
    if (edits !== undefined && isStored) this.forget();
  }

  /** The note has got another id. */
  moveTo(noteId: string): void {
    dropDraft(this.#place);
    this.#noteId = noteId;
    this.#set(this.current);
  }

  /** It is given up. What this returns keeps it after all, for the next editor of the note. */
  forget(): () => void {
    const { edits } = this.current;
    this.#set({ ...this.current, edits: undefined });
    return () => {
      if (edits !== undefined) this.#keep(edits);
    };
  }

  get #place(): DraftPlace {
    return { principal: this.principal, noteId: this.#noteId, tab: thisTab() };
  }

  #keep(edits: Edits): void {
    keepDraft({ ...this.#place, edits, reportId: this.reportId, changedAt: Date.now() });
  }

  #set(state: State): void {
    const kept = keptDraft(this.#place);
    const { edits: known } = this.current;
    this.set(state);
    // A save can end after its editor was closed and the note opened again: then the next editor keeps it.
    if (kept !== undefined && kept.edits !== known) return;
    if (state.edits === undefined) dropDraft(this.#place);
    else this.#keep(state.edits);
  }
}
