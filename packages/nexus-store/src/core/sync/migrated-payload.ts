import { OBJECT } from '../model/arguments.ts';
import { isReadable } from '../model/stored-text.ts';
import { decodeValue } from '../model/value-codec.ts';
import { hasOtherId, type CollectionRules } from '../queue/collection-rules.ts';
import { detailOf, type EntryRecord, type RowRecord } from '../queue/records.ts';

/**
 * Refuses what an app's `migrate` gave back and what cannot stand in place of the queued payload, such as the
 * undefined of a function that changed its argument: it would be sent, acknowledged, and the write be gone.
 *
 * @param payload as it would be stored
 * @param row what the entry is made on
 * @throws TypeError saying what is wrong
 */
export function requireSound(
  payload: unknown,
  entry: EntryRecord,
  row: RowRecord | undefined,
  rules: CollectionRules,
): void {
  const before = decodeValue(entry.payload as string);
  if (entry.operation === 'command') {
    if (payload === undefined && before !== undefined) throw unsound('the arguments', payload);
  } else if (detailOf(entry).isPatch === true) requireFields(payload, entry, row, rules);
  else requireWhole(payload, before, entry, rules);
}

/** A value names itself by the id that it is kept under. */
function requireWhole(
  payload: unknown,
  before: unknown,
  { entity }: EntryRecord,
  { idOf }: CollectionRules,
): void {
  // A store whose id is a function may hold texts.
  const isKind = isObject(payload) || (!isObject(before) && payload !== undefined);
  if (!isKind || payload === null) throw unsound('the whole value', payload);
  if (idOf !== undefined && idOf(payload) !== entity)
    throw new TypeError('migrate gave the entity another id, or none');
}

/** Fields must not make another entity of the one that they are laid over. */
function requireFields(
  payload: unknown,
  { entity }: EntryRecord,
  row: RowRecord | undefined,
  rules: CollectionRules,
): void {
  if (!OBJECT.fits(payload)) throw unsound('an object with the changed fields', payload);
  const text = row?.value ?? row?.shadow ?? null;
  const base = text !== null && isReadable(text) ? (decodeValue(text) as object) : {};
  const whole = { ...base, ...(payload as object) };
  // A value of the old schema may be one that today's function finds no id in, or a wrong one.
  if (hasOtherId(rules, whole, entity) && !hasOtherId(rules, base, entity))
    throw new TypeError('migrate gave the entity another id');
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

/** Says no more of what was given than its type: failures never hold payloads. */
function unsound(wanted: string, given: unknown): TypeError {
  const type = Array.isArray(given) ? 'list' : typeof given;
  return new TypeError(
    `migrate must give back ${wanted}; it gave ${given === null ? 'null' : type}`,
  );
}
