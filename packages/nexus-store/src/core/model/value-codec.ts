import { StorageError, UsageError } from './errors.ts';

/**
 * How values become text and come back exactly as given. Plain JSON stays plain JSON, readable in the
 * database. A value that JSON would change (dates, bytes, NaN, undefined, big integers, maps, sets)
 * is written with tags, `{"$nexus":"date","value":"..."}`, and its text starts with `~` in storage.
 * What cannot be restored (functions, symbols, class instances, cycles) is refused with its path.
 */
export const TAG = '$nexus';
const TAGGED_PREFIX = '~';

/** Deeper nesting is refused: engines overflow their stack at different depths. */
export const MAX_VALUE_DEPTH = 500;

/**
 * The stored text of a value.
 *
 * @throws UsageError `usage/unsupported-value` with the path of the offending part
 */
export function encodeValue(value: unknown): string {
  try {
    if (isPlain(value, 0)) return JSON.stringify(value);
    return TAGGED_PREFIX + JSON.stringify(toTagged(value, '', []));
  } catch (error) {
    // Engines have a longest text, of half a gigabyte or so.
    if (error instanceof RangeError) refuse('a value this large', '');
    throw error;
  }
}

/**
 * The value of a stored text, made anew: the caller owns it.
 *
 * @throws StorageError `storage/corrupt` for a text that no value was encoded to; it does not quote it
 */
export function decodeValue(text: string): unknown {
  try {
    if (!text.startsWith(TAGGED_PREFIX)) return JSON.parse(text);
    return fromTagged(JSON.parse(text.slice(TAGGED_PREFIX.length)));
  } catch {
    throw new StorageError('storage/corrupt', 'a stored value is damaged');
  }
}

/** The JSON that goes over the wire for a stored text: the same, without the storage prefix. */
export function wireJson(text: string): string {
  return text.startsWith(TAGGED_PREFIX) ? text.slice(TAGGED_PREFIX.length) : text;
}

/** The value of JSON that came over the wire, tags resolved. */
export function fromWire(json: unknown): unknown {
  return fromTagged(json);
}

/** True if JSON.stringify and JSON.parse give this value back unchanged. */
function isPlain(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0);
    case 'object':
      return value === null || (depth < MAX_VALUE_DEPTH && isPlainObject(value, depth + 1));
    default:
      return false;
  }
}

function isPlainObject(value: object, depth: number): boolean {
  if (Array.isArray(value)) {
    if (Object.keys(value).length !== value.length) return false;
    for (const item of value) if (!isPlain(item, depth)) return false;
    return true;
  }
  if (!hasPlainPrototype(value)) return false;
  if ('toJSON' in value) return false;
  for (const key in value) {
    if (key === TAG || key === '__proto__') return false;
    if (!isPlain((value as Record<string, unknown>)[key], depth)) return false;
  }
  return Object.getOwnPropertySymbols(value).length === 0;
}

/** An object of an iframe or another context has another `Object`, and is plain all the same. */
function hasPlainPrototype(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return true;
  return (
    typeof prototype === 'object' &&
    Object.getPrototypeOf(prototype) === null &&
    Object.hasOwn(prototype, 'isPrototypeOf')
  );
}

function refuse(what: string, path: string): never {
  const place = path === '' ? 'the value itself' : path;
  throw new UsageError('usage/unsupported-value', `cannot store ${what} (at ${place})`);
}

const tagged = (kind: string, value: unknown): unknown => ({ [TAG]: kind, value });

function toTagged(value: unknown, path: string, ancestors: readonly object[]): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      if (Number.isFinite(value) && !Object.is(value, -0)) return value;
      return tagged('number', Object.is(value, -0) ? '-0' : String(value));
    case 'undefined':
      return tagged('undefined', null);
    case 'bigint':
      return tagged('bigint', String(value));
    case 'object':
      return value === null ? null : objectToTagged(value, path, ancestors);
    default:
      return refuse(`a ${typeof value}`, path);
  }
}

function objectToTagged(value: object, path: string, ancestors: readonly object[]): unknown {
  if (ancestors.includes(value)) refuse('a value that contains itself', path);
  if (ancestors.length >= MAX_VALUE_DEPTH) refuse(`more than ${MAX_VALUE_DEPTH} levels`, path);
  const inside = [...ancestors, value];
  if (Array.isArray(value)) {
    if (Object.keys(value).length !== value.length) refuse('a list with holes or named keys', path);
    return value.map((item, index) => toTagged(item, `${path}[${index}]`, inside));
  }
  if (value instanceof Date) {
    return tagged('date', Number.isNaN(value.getTime()) ? null : value.toISOString());
  }
  if (value instanceof Uint8Array) return tagged('bytes', base64(value));
  if (value instanceof ArrayBuffer) return tagged('buffer', base64(new Uint8Array(value)));
  if (value instanceof Map) {
    const pairs = [...value].map(([key, item], index) => [
      toTagged(key, `${path}.key(${index})`, inside),
      toTagged(item, `${path}.value(${index})`, inside),
    ]);
    return tagged('map', pairs);
  }
  if (value instanceof Set) {
    return tagged(
      'set',
      [...value].map((item, index) => toTagged(item, `${path}[${index}]`, inside)),
    );
  }
  return recordToTagged(value, path, inside);
}

function recordToTagged(value: object, path: string, inside: readonly object[]): unknown {
  if (!hasPlainPrototype(value)) {
    refuse(`an instance of ${value.constructor?.name || 'a class'}; store a plain object`, path);
  }
  if (Object.getOwnPropertySymbols(value).length > 0) refuse('a symbol key', path);
  const keys = Object.keys(value);
  const pairs = keys.map((key) => [
    key,
    toTagged((value as Record<string, unknown>)[key], path === '' ? key : `${path}.${key}`, inside),
  ]);
  // Keys that would be misread (our own tag, the prototype key) travel as pairs instead of as keys.
  const hasOddKey = keys.includes(TAG) || keys.includes('__proto__') || keys.includes('toJSON');
  if (hasOddKey) return tagged('object', pairs);
  return Object.fromEntries(pairs) as unknown;
}

type Tagged = { readonly [TAG]: unknown; readonly value?: unknown };

function fromTagged(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return json;
  if (Array.isArray(json)) return json.map(fromTagged);
  if (Object.hasOwn(json, TAG)) return untag(json as Tagged);
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(json)) define(result, key, fromTagged(value));
  return result;
}

function untag(json: Tagged): unknown {
  const value = json.value;
  switch (json[TAG]) {
    case 'undefined':
      return undefined;
    case 'number':
      return Number(value);
    case 'bigint':
      return BigInt(value as string);
    case 'date':
      return new Date(value === null ? Number.NaN : (value as string));
    case 'bytes':
      return fromBase64(value as string);
    case 'buffer':
      return fromBase64(value as string).buffer;
    case 'map':
      return new Map(
        (value as [unknown, unknown][]).map(([k, v]) => [fromTagged(k), fromTagged(v)]),
      );
    case 'set':
      return new Set((value as unknown[]).map(fromTagged));
    case 'object': {
      const result: Record<string, unknown> = {};
      for (const [key, item] of value as [string, unknown][]) define(result, key, fromTagged(item));
      return result;
    }
    default:
      // A tag of a newer version: give it back as it stands rather than lose it.
      return json;
  }
}

/** Assigning `__proto__` would set the prototype; defining it makes an own key like any other. */
function define(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  } else {
    target[key] = value;
  }
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function base64(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let i = 0; i < bytes.length; i += 3) {
    const a = bytes[i] as number;
    const b = bytes[i + 1];
    const c = bytes[i + 2];
    const word = (a << 16) | ((b ?? 0) << 8) | (c ?? 0);
    parts.push(
      ALPHABET.charAt(word >> 18),
      ALPHABET.charAt((word >> 12) & 63),
      b === undefined ? '=' : ALPHABET.charAt((word >> 6) & 63),
      c === undefined ? '=' : ALPHABET.charAt(word & 63),
    );
  }
  return parts.join('');
}

const VALUES: ReadonlyMap<string, number> = new Map(
  [...ALPHABET].map((char, value) => [char, value]),
);

function fromBase64(text: string): Uint8Array {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  const at = (index: number): number => VALUES.get(text.charAt(index)) ?? 0;
  for (let i = 0, out = 0; i < text.length; i += 4) {
    const word = (at(i) << 18) | (at(i + 1) << 12) | (at(i + 2) << 6) | at(i + 3);
    for (const byte of [word >> 16, (word >> 8) & 255, word & 255]) {
      if (out < bytes.length) bytes[out++] = byte;
    }
  }
  return bytes;
}

/** A server's value as text; undefined if it sent none, or one that cannot be stored: a pull brings it. */
export function storableText(value: unknown): string | null | undefined {
  if (value === undefined || value === null) return value;
  try {
    return encodeValue(value);
  } catch {
    // What it came with counts all the same.
    return undefined;
  }
}
