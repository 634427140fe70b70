import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { decodedUtf8, textOf } from './utf8.ts';

afterEach(() => vi.unstubAllGlobals());

const encoder = new TextEncoder();

test('every text comes back from its bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(decodedUtf8(encoder.encode(text))).toBe(text);
    }),
  );
  expect(decodedUtf8(encoder.encode('\ufeffa\0ß€😀'))).toBe('\ufeffa\0ß€😀');
});

test('bytes that are no text cost one character each, and hide nothing behind them', () => {
  const bytes = [0x61, 0xff, 0xc0, 0x80, 0xe2, 0x82, 0x62, 0xed, 0xa0, 0x80, 0x63];

  expect(decodedUtf8(Uint8Array.from(bytes))).toBe(
    'a\ufffd\ufffd\ufffd\ufffd\ufffdb\ufffd\ufffd\ufffdc',
  );
});

test('an engine without TextDecoder reads the same', () => {
  const bytes = encoder.encode('a\0ß');
  const before = textOf(bytes);
  vi.stubGlobal('TextDecoder', undefined);

  expect([before, textOf(bytes)]).toEqual(['a\0ß', 'a\0ß']);
});
