import { PRIORITIES, type SyncPriority } from 'nexus-store';
import type { Random } from './random.ts';

/** `notes` change, coalesced; `journal` keeps every change; `audit` only grows; `counters` take commands. */
export const COLLECTIONS = ['notes', 'journal', 'audit', 'counters'] as const;
export type Collection = (typeof COLLECTIONS)[number];

export interface Value {
  readonly id: string;
  readonly [field: string]: string | number;
}

export type Step =
  | { readonly kind: 'save'; readonly collection: Collection; readonly value: Value }
  | {
      readonly kind: 'patch';
      readonly collection: Collection;
      readonly id: string;
      readonly fields: Readonly<Record<string, number>>;
    }
  | { readonly kind: 'delete'; readonly collection: Collection; readonly id: string }
  | { readonly kind: 'increment'; readonly collection: 'counters'; readonly id: string };

/** One call of the app: a single write, or several in one transaction. */
export interface Write {
  /** Names it, over all processes. */
  readonly name: string;
  readonly lane: number;
  readonly priority: SyncPriority;
  readonly steps: readonly Step[];
}

/** The values of entities by `collection/id`; an entity that is not there has none. */
export type Entities = Map<string, Value>;

export const LANES = 6;
const NOTES_PER_LANE = 3;
const FIELDS = ['a', 'b', 'c'];

export const keyOf = (collection: string, id: string): string => `${collection}/${id}`;

/** What the write makes of the entities. */
export function applied(entities: ReadonlyMap<string, Value>, write: Write): Entities {
  const after = new Map(entities);
  for (const step of write.steps) {
    const id = step.kind === 'save' ? step.value.id : step.id;
    const key = keyOf(step.collection, id);
    if (step.kind === 'save') after.set(key, step.value);
    if (step.kind === 'patch') after.set(key, { ...(after.get(key) as Value), ...step.fields });
    if (step.kind === 'delete') after.delete(key);
    if (step.kind === 'increment') after.set(key, incremented(after.get(key) as Value));
  }
  return after;
}

export function incremented(value: Value): Value {
  return { ...value, count: Number(value['count']) + 1 };
}

/** The next write of a lane, possible on what the lane has. A lane's entities are its own. */
export function nextWrite(
  random: Random,
  lane: number,
  name: string,
  entities: ReadonlyMap<string, Value>,
): Write {
  const write = (...steps: Step[]): Write => ({
    name,
    lane,
    priority: random.pick(PRIORITIES),
    steps,
  });
  const counter = `counter-${lane}`;
  if (!entities.has(keyOf('counters', counter))) {
    return write({ kind: 'save', collection: 'counters', value: { id: counter, count: 0 } });
  }
  const dice = random.float();
  const audit = (): Step => ({
    kind: 'save',
    collection: 'audit',
    value: valueOf(random, `audit-${name}`, name),
  });
  if (dice < 0.25) return write(audit());
  if (dice < 0.4) {
    const id = `journal-${lane}`;
    return write({ kind: 'save', collection: 'journal', value: valueOf(random, id, name) });
  }
  if (dice < 0.5) return write({ kind: 'increment', collection: 'counters', id: counter });
  const id = `note-${lane}-${random.below(NOTES_PER_LANE)}`;
  const change = noteStep(random, id, name, entities);
  if (dice < 0.85) return write(change);
  return write(change, audit(), { kind: 'increment', collection: 'counters', id: counter });
}

function noteStep(
  random: Random,
  id: string,
  name: string,
  entities: ReadonlyMap<string, Value>,
): Step {
  const dice = random.float();
  const exists = entities.has(keyOf('notes', id));
  if (exists && dice < 0.25) return { kind: 'delete', collection: 'notes', id };
  if (exists && dice < 0.6) {
    return {
      kind: 'patch',
      collection: 'notes',
      id,
      fields: { [random.pick(FIELDS)]: random.below(1_000_000) },
    };
  }
  return { kind: 'save', collection: 'notes', value: valueOf(random, id, name) };
}

function valueOf(random: Random, id: string, name: string): Value {
  const text = 'x'.repeat(random.below(300));
  return { id, name, text, a: random.below(1_000_000), b: 0, c: 0 };
}
