import type { SyncPriority } from 'nexus-store';

/** What is known of a photo. Its bytes stay in the camera's folder. */
export interface Photo {
  readonly name: string;
  readonly sizeBytes: number;
  /** Epoch milliseconds, as the file says. */
  readonly takenAt: number;
}

/** What somebody saw somewhere. */
export interface Note {
  readonly id: string;
  readonly title: string;
  readonly text: string;
  readonly site: string;
  readonly priority: SyncPriority;
  readonly photos: readonly Photo[];
  /** The field report it is about, or null. */
  readonly reportId: string | null;
  /** Epoch milliseconds, by this device's clock: for showing and sorting, never for deciding. */
  readonly changedAt: number;
}

/** The part of a note that people write. */
export type Draft = Pick<Note, 'title' | 'text' | 'site' | 'priority' | 'photos'>;

export const DRAFT_FIELDS = ['title', 'site', 'priority', 'text', 'photos'] as const;

export type DraftField = (typeof DRAFT_FIELDS)[number];

export const EMPTY_DRAFT: Draft = { title: '', text: '', site: '', priority: 'normal', photos: [] };

/** A note as other apps may have written it too, with all its fields. */
export function completeNote(note: Pick<Note, 'id'> & Partial<Note>): Note {
  return { ...EMPTY_DRAFT, reportId: null, changedAt: 0, ...note };
}

export function draftOf({ title, text, site, priority, photos }: Draft): Draft {
  return { title, text, site, priority, photos };
}

/** Whether a field says the same in both. */
export function isSameField(field: DraftField, a: Draft, b: Draft): boolean {
  if (field !== 'photos') return a[field] === b[field];
  const texts = (photos: readonly Photo[]): string =>
    JSON.stringify(photos.map(({ name, sizeBytes, takenAt }) => [name, sizeBytes, takenAt]));
  return texts(a.photos) === texts(b.photos);
}

/** The fields that differ, with what they are now. */
export function changedFields(before: Draft, now: Draft): Partial<Draft> {
  const changed = DRAFT_FIELDS.filter((field) => !isSameField(field, before, now));
  return Object.fromEntries(changed.map((field) => [field, now[field]]));
}

/** A name made of the text is cut here. Unit: characters. */
const NAME_LENGTH = 60;

/** What a note is called: its title, else the first line of its text. Never nothing. */
export function nameOf({ title, text }: Pick<Draft, 'title' | 'text'>): string {
  const [line = ''] = text.trim().split('\n', 1);
  const begun = line.length > NAME_LENGTH ? `${line.slice(0, NAME_LENGTH).trim()} …` : line.trim();
  return title.trim() || begun || 'Untitled';
}

/** True if every word stands somewhere in the note. */
export function matchesNote(note: Note, search: string): boolean {
  const text = `${note.title}\n${note.text}\n${note.site}`.toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
