import { expect, test } from 'vitest';
import { isWellFormed } from './well-formed.ts';

test.each(['', 'x', '\0', '\ud83e\uddff', 'a\ud83e\uddff\ud83e\uddffb', '\ud7ff\ue000'])(
  '%j is well-formed',
  (text) => {
    expect(isWellFormed(text)).toBe(true);
  },
);

test.each([
  'x\ud800',
  '\udc00',
  '\udc00\ud800',
  '\ud800\ud800\udc00',
  '\ud83e\uddff\ud83e',
  '\ud800x',
])('%j is not', (text) => {
  expect(isWellFormed(text)).toBe(false);
});
