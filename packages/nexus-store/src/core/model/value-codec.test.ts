import { isDeepStrictEqual } from 'node:util';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeValue, encodeValue, fromWire, MAX_VALUE_DEPTH, wireJson } from './value-codec.ts';

const storable = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string({ unit: 'binary' }),
    fc.double(),
    fc.integer(),
    fc.bigInt(),
    fc.boolean(),
    fc.constant(null),
    fc.constant(undefined),
    fc.date({ noInvalidDate: false }),
    fc.uint8Array(),
    fc.array(tie('value')),
    fc.dictionary(
      fc.oneof(fc.string(), fc.constantFrom('__proto__', '$nexus', 'toJSON', 'constructor')),
      tie('value'),
    ),
    fc
      .uniqueArray(fc.tuple(fc.string(), tie('value')), { selector: ([key]) => key })
      .map((pairs) => new Map(pairs)),
    fc.uniqueArray(fc.string()).map((items) => new Set(items)),
  ),
})).value;

describe('a value as text', () => {
  test('comes back exactly as it was given', () => {
    fc.assert(
      fc.property(storable, (value) => {
        expect(isDeepStrictEqual(decodeValue(encodeValue(value)), plain(value))).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  test('comes back from the wire as it was given', () => {
    fc.assert(
      fc.property(storable, (value) => {
        const json = JSON.stringify({
          payload: JSON.parse(wireJson(encodeValue(value))) as unknown,
        });
        const { payload } = JSON.parse(json) as { payload: unknown };
        expect(isDeepStrictEqual(fromWire(payload), plain(value))).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  test('is plain JSON where JSON says it all', () => {
    expect(encodeValue({ id: 'n1', tags: ['a', 1, null, true] })).toBe(
      '{"id":"n1","tags":["a",1,null,true]}',
    );
  });

  test('keeps -0, NaN and the infinities apart', () => {
    const value = [-0, 0, Number.NaN, Infinity, -Infinity];

    expect(decodeValue(encodeValue(value))).toStrictEqual(value);
  });

  test('keeps a buffer a buffer', () => {
    const back = decodeValue(encodeValue({ bytes: new Uint8Array([1, 2, 255]).buffer })) as {
      bytes: ArrayBuffer;
    };

    expect([...new Uint8Array(back.bytes)]).toEqual([1, 2, 255]);
  });

  test('never sets a prototype', () => {
    const hostile = JSON.parse('{"__proto__":{"isAdmin":true},"a":{"__proto__":1}}') as object;

    const back = decodeValue(encodeValue(hostile)) as Record<string, unknown>;

    expect(Object.keys(back)).toEqual(['__proto__', 'a']);
    expect(back['isAdmin']).toBeUndefined();
    expect(({} as Record<string, unknown>)['isAdmin']).toBeUndefined();
  });

  test('may come from another realm', () => {
    const foreign = runInNewContext('({ id: "n1", tags: ["a"] })') as object;

    expect(decodeValue(encodeValue(foreign))).toEqual({ id: 'n1', tags: ['a'] });
  });
});

class Invoice {
  readonly total = 1;
}

const withHole = [1];
withHole[2] = 3;

const cycle: { self?: unknown; list: unknown[] } = { list: [] };
cycle.list.push({ back: cycle });

describe('a value that could not be given back', () => {
  test.each([
    ['a function', { handlers: [() => {}] }, 'handlers[0]'],
    ['a symbol', { tag: Symbol('x') }, 'tag'],
    ['a class instance', { invoice: new Invoice() }, 'invoice'],
    ['a cycle', cycle, 'list[0].back'],
    ['a list with holes', { list: withHole }, 'list'],
    ['a symbol key', { deep: { [Symbol('k')]: 1 } }, 'deep'],
    ['a function as the value itself', () => {}, 'the value itself'],
  ])('is refused with its path: %s', (_what, value, path) => {
    expect(() => encodeValue(value)).toThrow(
      expect.objectContaining({
        code: 'usage/unsupported-value',
        message: expect.stringContaining(`at ${path}`) as string,
      }),
    );
  });

  test('is refused when it is nested too deeply, instead of overflowing the stack', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 100_000; level += 1) deep = [deep];

    expect(() => encodeValue(deep)).toThrow(
      expect.objectContaining({ code: 'usage/unsupported-value' }),
    );
  });

  test('is not refused for a depth that fits', () => {
    let deep: unknown = 1;
    for (let level = 0; level < MAX_VALUE_DEPTH - 1; level += 1) deep = [deep];

    expect(decodeValue(encodeValue(deep))).toEqual(deep);
  });
});

/** Objects without a prototype are told from others; what comes back always has one. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, plain(item)]));
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== null) {
    if (
      typeof value !== 'object' ||
      value === null ||
      Object.getPrototypeOf(value) !== Object.prototype
    )
      return value;
  }
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    Object.defineProperty(copy, key, {
      value: plain(item),
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
  return copy;
}
