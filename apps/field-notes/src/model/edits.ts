// What somebody has typed into a note and not saved yet, beside the note as it is stored.
import { changedFields, type Draft, type DraftField } from './note.ts';

/** Only fields that were touched: all others follow the store while somebody writes. */
export interface Edits {
  /** The note as it was; of each touched field, as it was when it was touched. */
  readonly base: Draft;
  readonly fields: Partial<Draft>;
}

/** The note as it is to be read and edited. */
export function edited(stored: Draft, edits: Edits | undefined): Draft {
  return { ...stored, ...edits?.fields };
}

/** What saving would change. A field that the store says too by now is none of it. */
export function unsavedFields(stored: Draft, edits: Edits | undefined): Partial<Draft> {
  return changedFields(stored, edited(stored, edits));
}

/** The edits after one more; undefined if the note is again as it is stored. */
export function withEdit(
  stored: Draft,
  edits: Edits | undefined,
  change: Partial<Draft>,
): Edits | undefined {
  const fields = changedFields(stored, { ...edited(stored, edits), ...change });
  const touched = Object.keys(fields) as DraftField[];
  if (touched.length === 0) return undefined;
  const known = touched.filter((field) => edits !== undefined && field in edits.fields);
  const before = Object.fromEntries(known.map((field) => [field, edits?.base[field]]));
  return { base: { ...stored, ...(before as Partial<Draft>) }, fields };
}

/**
 * What is still to be saved after a save: that which was typed while it ran.
 *
 * @param asked the note as it was shown when somebody asked to save it
 * @param shown the note as it is shown now
 * @param saved what was stored of it
 */
export function editsSince(asked: Draft, shown: Draft, saved: Draft): Edits | undefined {
  const fields = changedFields(asked, shown);
  return hasFields(fields) ? { base: saved, fields } : undefined;
}

export function hasFields(fields: Partial<Draft>): boolean {
  return Object.keys(fields).length > 0;
}
