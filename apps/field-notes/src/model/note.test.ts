import { expect, test } from 'vitest';
import { nameOf } from './note.ts';

test('a note is called by its title, without the spaces around it', () => {
  expect(nameOf({ title: ' Nest ', text: 'As found' })).toBe('Nest');
});

test('a note whose title is spaces is called by the first line of its text', () => {
  expect(nameOf({ title: '  \t', text: '\n Two metres \nat gate 14' })).toBe('Two metres');
  expect(nameOf({ title: '', text: `${'long '.repeat(20)}` })).toBe(
    `${'long '.repeat(12).trim()} …`,
  );
});

test('a note without a title and a text still has a name', () => {
  expect(nameOf({ title: ' ', text: ' \n ' })).toBe('Untitled');
});
