import fc from 'fast-check';
import { expect, test } from 'vitest';
import { utf8Length } from './utf8-length.ts';

test('a text takes as many bytes as an encoder makes of it, whatever is in it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), (a, b) => {
      // Cut anywhere, also through a character.
      for (const text of [a, b, a.slice(1), (a + b).slice(0, -1)]) {
        expect(utf8Length(text)).toBe(Buffer.byteLength(text));
      }
    }),
    { numRuns: 50 },
  );
});
