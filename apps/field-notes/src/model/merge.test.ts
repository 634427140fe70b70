import { describe, expect, test } from 'vitest';
import { choicesAfter, differingFields, firstChoices, merged } from './merge.ts';
import { changedFields, completeNote, type Note } from './note.ts';

const base: Note = completeNote({ id: 'n', title: 'Nest', site: 'Hangar 3', text: 'As found' });

describe('two versions of a note', () => {
  test('begin with the side that changed a field, and with mine where both did', () => {
    const mine = { ...base, text: 'Mine' };
    const theirs = { ...base, text: 'Theirs', site: 'Hangar 4' };

    const choices = firstChoices(base, mine, theirs);

    expect(differingFields(mine, theirs)).toEqual(['site', 'text']);
    expect(merged(mine, theirs, choices)).toMatchObject({
      title: 'Nest',
      site: 'Hangar 4',
      text: 'Mine',
    });
  });

  test('begin with mine where nobody knows what both began with', () => {
    const choices = firstChoices(null, base, { ...base, site: 'Hangar 4' });

    expect(choices.site).toBe('mine');
  });

  test('keep a choice only while both sides say what they said when it was made', () => {
    const mine = { ...base, text: 'Mine', site: 'Hangar 1' };
    const theirs = { ...base, text: 'Theirs', site: 'Hangar 4' };
    const chosen = { ...firstChoices(base, mine, theirs), text: 'theirs', site: 'theirs' } as const;

    const later = { base, mine, theirs: { ...theirs, text: 'Theirs, later' } };
    const choices = choicesAfter({ base, mine, theirs }, chosen, later);

    expect(choices).toMatchObject({ text: 'mine', site: 'theirs' });
  });

  test('differ in their photos only if a photo differs', () => {
    const photo = { name: 'roof.jpg', sizeBytes: 1, takenAt: 2 };

    expect(changedFields(base, { ...base, photos: [] })).toEqual({});
    expect(changedFields(base, { ...base, photos: [photo] })).toEqual({ photos: [photo] });
  });
});
