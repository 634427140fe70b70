/** The tag under which clients send what plain JSON cannot say (protocol.md, "Values"). */
const TAG = '$nexus';

type Fields = readonly (readonly [string, unknown])[];

/**
 * A value with the fields of a patch put over it; undefined if one of them has no fields (a list, a
 * number, a tagged date). Tagged values inside stay as they are.
 */
export function mergeFields(value: unknown, patch: unknown): unknown {
  const fields = fieldsOf(value);
  const changed = fieldsOf(patch);
  if (fields === undefined || changed === undefined) return undefined;
  return fromFields(new Map([...fields, ...changed]));
}

/** A field of a value, undefined if there is none. */
export function fieldOf(value: unknown, name: string): unknown {
  return fieldsOf(value)?.find(([key]) => key === name)?.[1];
}

/** An object with odd keys travels as `{"$nexus":"object","value":[[key, value], ...]}`. */
function fieldsOf(value: unknown): Fields | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  if (!Object.hasOwn(value, TAG)) return Object.entries(value);
  const tagged = value as { readonly [TAG]: unknown; readonly value?: unknown };
  return tagged[TAG] === 'object' && isPairs(tagged.value) ? tagged.value : undefined;
}

function isPairs(value: unknown): value is Fields {
  return (
    Array.isArray(value) &&
    value.every((pair) => Array.isArray(pair) && pair.length === 2 && typeof pair[0] === 'string')
  );
}

function fromFields(fields: ReadonlyMap<string, unknown>): unknown {
  const isOdd = fields.has(TAG) || fields.has('__proto__') || fields.has('toJSON');
  return isOdd ? { [TAG]: 'object', value: [...fields] } : Object.fromEntries(fields);
}
