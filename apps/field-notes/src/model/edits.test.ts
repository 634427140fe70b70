import { describe, expect, test } from 'vitest';
import { edited, editsSince, unsavedFields, withEdit } from './edits.ts';
import { EMPTY_DRAFT, type Draft } from './note.ts';

const stored: Draft = { ...EMPTY_DRAFT, title: 'Nest', site: 'Hangar 3', text: 'As found' };

describe('what is typed and not saved', () => {
  test('is shown over the stored note, whose other fields still follow the store', () => {
    const edits = withEdit(stored, undefined, { text: 'Two metres' });

    const shown = edited({ ...stored, site: 'Hangar 4' }, edits);

    expect(shown).toEqual({ ...stored, site: 'Hangar 4', text: 'Two metres' });
  });

  test('remembers of each field what it was when it was touched', () => {
    const first = withEdit(stored, undefined, { text: 'Two metres' });

    const second = withEdit({ ...stored, text: 'Theirs', site: 'Hangar 4' }, first, { site: 'H' });

    expect(second?.base).toEqual({ ...stored, site: 'Hangar 4' });
    expect(second?.fields).toEqual({ text: 'Two metres', site: 'H' });
  });

  test('is nothing once the field says again what is stored', () => {
    const edits = withEdit(stored, undefined, { text: 'As found.' });

    expect(withEdit(stored, edits, { text: 'As found' })).toBeUndefined();
    expect(unsavedFields({ ...stored, text: 'As found.' }, edits)).toEqual({});
    expect(unsavedFields(stored, edits)).toEqual({ text: 'As found.' });
  });
});

describe('after a save', () => {
  test('nothing is left of what was asked to be saved', () => {
    expect(editsSince(stored, stored, stored)).toBeUndefined();
    // Its title was spaces, and was given a name.
    const asked = { ...stored, title: ' ' };
    expect(editsSince(asked, asked, { ...stored, title: 'As found' })).toBeUndefined();
  });

  test('what was typed while it ran is left, on what was saved', () => {
    const asked = { ...stored, text: 'first.' };

    const edits = editsSince(asked, { ...asked, text: 'first.second.', priority: 'high' }, asked);

    expect(edits).toEqual({ base: asked, fields: { text: 'first.second.', priority: 'high' } });
    expect(edited(asked, edits).text).toBe('first.second.');
  });

  test('what was taken back while it ran is left to be taken back', () => {
    const asked = { ...stored, text: 'As found, I think' };

    const edits = editsSince(asked, stored, asked);

    expect(unsavedFields(asked, edits)).toEqual({ text: 'As found' });
  });
});
