import type { DraftField } from '../model/note.ts';

export const FIELD_WORDS: Readonly<Record<DraftField, string>> = {
  title: 'Title',
  site: 'Site',
  priority: 'Priority',
  text: 'What did you see?',
  photos: 'Photos',
};
