import { describe, expect, test } from 'vitest';
import { decodeValue, encodeValue } from '../model/value-codec.ts';
import { DEFAULT_RULES } from './collection-rules.ts';
import { applyMutation, mergePatch } from './fold.ts';
import type { EntryDetail, StoredOperation } from './records.ts';

const counting = {
  ...DEFAULT_RULES,
  applyCommand: (value: unknown, command: string, args: unknown) => ({
    ...(value as object),
    last: `${command} ${String(args)}`,
  }),
};

function applied(
  before: unknown,
  operation: StoredOperation,
  payload: unknown,
  detail: EntryDetail | null = null,
  rules = counting as typeof DEFAULT_RULES,
): unknown {
  const text = applyMutation(
    before === null ? null : encodeValue(before),
    {
      operation,
      payload: payload === null ? null : encodeValue(payload),
      detail: detail === null ? null : JSON.stringify(detail),
    },
    rules,
  );
  return text === null ? null : decodeValue(text);
}

describe('a mutation laid over a value', () => {
  test('that is whole replaces it', () => {
    expect(applied({ a: 1, b: 2 }, 'update', { a: 3 })).toEqual({ a: 3 });
    expect(applied(null, 'create', { a: 3 })).toEqual({ a: 3 });
  });

  test('that is a patch changes its own fields', () => {
    const isPatch = { isPatch: true };

    expect(applied({ a: 1, b: 2 }, 'update', { b: 3, c: 4 }, isPatch)).toEqual({
      a: 1,
      b: 3,
      c: 4,
    });
    expect(applied(null, 'update', { b: 3 }, isPatch)).toEqual({ b: 3 });
  });

  test('that deletes leaves nothing', () => {
    expect(applied({ a: 1 }, 'delete', null)).toBeNull();
  });

  test('that is a command does what the collection says', () => {
    expect(applied({ a: 1 }, 'command', 5, { command: 'add' })).toEqual({ a: 1, last: 'add 5' });
  });

  test('that is a command leaves the value alone where only the server knows it', () => {
    const detail = { command: 'add' };

    expect(applied({ a: 1 }, 'command', 5, detail, DEFAULT_RULES)).toEqual({ a: 1 });
    expect(applied(null, 'command', 5, detail)).toBeNull();
  });

  test('that a pull has brought already changes nothing', () => {
    expect(applied({ n: 1 }, 'command', 1, { command: 'add', isEchoed: true })).toEqual({ n: 1 });
  });
});

describe('a patch over a text', () => {
  test('keeps dates, bytes and odd keys as they were', () => {
    const at = new Date(5);
    const value = encodeValue({ at, bytes: new Uint8Array([1]), keep: -0 });
    const odd = encodeValue(JSON.parse('{"__proto__":{"x":1},"at":2}'));

    const merged = decodeValue(mergePatch(value, odd)) as Record<string, unknown>;

    expect(Object.hasOwn(merged, '__proto__')).toBe(true);
    expect(merged['at']).toBe(2);
    expect(merged['bytes']).toEqual(new Uint8Array([1]));
    expect(Object.is(merged['keep'], -0)).toBe(true);
    expect(({} as { x?: number }).x).toBeUndefined();
  });
});
