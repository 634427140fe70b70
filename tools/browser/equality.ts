/**
 * Where two values differ, as a path, undefined where they do not. `equal` ignores members that are
 * undefined, as `toEqual` of vitest and jest does; `match` looks only at the members of the expected one.
 */
export function differences(
  actual: unknown,
  expected: unknown,
  mode: 'equal' | 'match',
  path = 'the top',
): string | undefined {
  if (Object.is(actual, expected)) return undefined;
  if (!isObject(actual) || !isObject(expected) || tag(actual) !== tag(expected)) return path;
  const [left, right] = [essence(actual), essence(expected)];
  if (Array.isArray(actual) && left['length'] !== right['length']) return `${path}.length`;
  const names = new Set(Object.keys(right));
  if (mode === 'equal') for (const name of Object.keys(left)) names.add(name);
  for (const name of names) {
    const where = differences(left[name], right[name], mode, `${path}.${name}`);
    if (where !== undefined) return where;
  }
  return undefined;
}

type Members = Readonly<Record<string, unknown>>;

/** What an object is compared by: its members, for some kinds others than it shows. */
function essence(value: object): Members {
  if (value instanceof Date) return { time: value.getTime() };
  if (value instanceof Error) return { ...value, message: value.message };
  if (value instanceof Map || value instanceof Set) return { items: [...value] };
  if (Array.isArray(value)) return { ...value, length: value.length };
  return value as Members;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function tag(value: unknown): string {
  return Object.prototype.toString.call(value);
}
