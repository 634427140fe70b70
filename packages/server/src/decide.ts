import { ProblemType } from 'nexus-store/http';
import type { WireProblem } from 'nexus-store/http';
import { OperationRefused } from './commands.ts';
import type { CommandHandler } from './commands.ts';
import { mergeFields } from './merge-fields.ts';
import { problem } from './problems.ts';
import { refOf } from './received-operation.ts';
import type { InvalidOperation, ReceivedOperation } from './received-operation.ts';
import { refKey } from './receiver-store.ts';
import type {
  AppliedOperation,
  EntityRef,
  Loaded,
  NewOperation,
  StoredRow,
  Writes,
} from './receiver-store.ts';

export interface Rules {
  readonly principal: string;
  readonly commands: ReadonlyMap<string, CommandHandler>;
  readonly maxValueBytes: number;
  /** Of all values in the answer; what comes after them is told to come again. */
  readonly maxAnswerBytes: number;
  /** Why this operation is forbidden, undefined if it is not. */
  readonly forbids: (operation: ReceivedOperation) => string | undefined;
  /** Told what a command threw: the client only hears that it failed. */
  readonly onError: (error: unknown) => void;
}

export interface Decision {
  readonly writes: Writes;
  /** One result for each operation, in order, as JSON text. */
  readonly results: readonly string[];
}

type Item = ReceivedOperation | InvalidOperation;

/** `value` and `remote` are JSON text, copied into the answer as they were stored. */
type Outcome =
  | { readonly kind: 'applied'; readonly change: number | null; readonly value: string | null }
  | { readonly kind: 'conflict'; readonly remote: string | null; readonly change: number | null }
  | { readonly kind: 'rejected'; readonly problem: WireProblem }
  | { readonly kind: 'retry'; readonly problem: WireProblem; readonly scope?: 'endpoint' };

/**
 * What becomes of each operation, and what to write. Pure: the same input gives the same decision.
 * Operations are applied in order; those of a group all or none; and no operation of an entity after one
 * of the same entity that was not applied.
 */
export function decide(items: readonly Item[], loaded: Loaded, rules: Rules, at: number): Decision {
  const ledger = new Ledger(loaded);
  const failed = new Set<string>();
  const results: string[] = [];
  let valueBytes = 0;
  for (const unit of unitsOf(items)) {
    const isFull = valueBytes >= rules.maxAnswerBytes;
    const outcomes = isFull ? unit.map(later) : unitOutcomes(unit, ledger, failed, rules);
    for (const [index, outcome] of outcomes.entries()) {
      const item = unit[index] as Item;
      const ref = outcome.kind === 'applied' ? undefined : refOf(item);
      if (ref !== undefined) failed.add(refKey(ref));
      valueBytes += valueBytesOf(outcome);
      results.push(resultJson(item.id, outcome));
    }
  }
  return { writes: { ...ledger.writes(), at }, results };
}

/** The answer is full. Not the operation's fault, so it costs no attempt. */
function later(item: Item): Outcome {
  if (item.invalid !== undefined) return { kind: 'rejected', problem: item.invalid };
  const detail = 'the answer is full: send the rest again';
  return { kind: 'retry', scope: 'endpoint', problem: problem(ProblemType.busy, detail) };
}

function valueBytesOf(outcome: Outcome): number {
  if (outcome.kind === 'applied') return bytesOf(outcome.value);
  return outcome.kind === 'conflict' ? bytesOf(outcome.remote) : 0;
}

function bytesOf(text: string | null): number {
  return text === null ? 0 : Buffer.byteLength(text);
}

/** Single operations, and runs of operations of one group. */
function unitsOf(items: readonly Item[]): readonly (readonly Item[])[] {
  const units: Item[][] = [];
  for (const item of items) {
    const last = units.at(-1);
    if (item.group !== null && last?.[0]?.group === item.group) last.push(item);
    else units.push([item]);
  }
  return units;
}

function unitOutcomes(
  unit: readonly Item[],
  ledger: Ledger,
  failed: ReadonlySet<string>,
  rules: Rules,
): readonly Outcome[] {
  const savepoint = ledger.savepoint();
  const outcomes: Outcome[] = [];
  for (const item of unit) {
    const outcome = outcomeOf(item, ledger, failed, rules);
    outcomes.push(outcome);
    if (outcome.kind !== 'applied') break;
  }
  const guilty = outcomes.length - 1;
  const last = outcomes[guilty];
  if (last === undefined || last.kind === 'applied') return outcomes;
  ledger.rollBack(savepoint);
  return unit.map((item, index) => (index === guilty ? last : innocent(item, ledger)));
}

/** A member of a group that failed because of another one; it may have been applied long ago. */
function innocent(item: Item, ledger: Ledger): Outcome {
  if (item.invalid !== undefined) return { kind: 'rejected', problem: item.invalid };
  return replay(item, ledger) ?? { kind: 'retry', problem: problem(ProblemType.groupFailed) };
}

function outcomeOf(item: Item, ledger: Ledger, failed: ReadonlySet<string>, rules: Rules): Outcome {
  if (item.invalid !== undefined) return { kind: 'rejected', problem: item.invalid };
  const known = replay(item, ledger);
  if (known !== undefined) return known;
  if (failed.has(refKey(item))) {
    return { kind: 'retry', problem: problem(ProblemType.predecessorFailed) };
  }
  const forbidden = rules.forbids(item);
  if (forbidden !== undefined) return rejected(ProblemType.forbidden, forbidden);
  return effect(item, ledger, rules);
}

/** The first result of a key that was used before. */
function replay(item: ReceivedOperation, ledger: Ledger): Outcome | undefined {
  const known = ledger.operation(item.key);
  if (known === undefined) return undefined;
  if (known.fingerprint !== item.fingerprint) return rejected(ProblemType.keyReused);
  return { kind: 'applied', change: known.change, value: known.value };
}

function effect(item: ReceivedOperation, ledger: Ledger, rules: Rules): Outcome {
  const row = ledger.row(item);
  const current = row?.value ?? null;
  if (row !== undefined && row.operationId === item.key) {
    // The key was forgotten, but its effect still stands.
    return { kind: 'applied', change: row.change, value: null };
  }
  if (item.operation === 'create') {
    return current === null ? write(item, ledger, item.payloadText, null, rules) : conflict(row);
  }
  if (item.operation === 'command') return command(item, current, ledger, rules);
  if (current === null) {
    return item.operation === 'delete' ? deleteNothing(item, row, ledger) : conflict(row);
  }
  if (item.base !== null && item.base !== String(row?.change)) return conflict(row);
  if (item.operation === 'delete') return write(item, ledger, null, null, rules);
  if (!item.isPatch) return write(item, ledger, item.payloadText, null, rules);
  const merged = mergeFields(JSON.parse(current), item.payload);
  if (merged === undefined) return rejected(ProblemType.refused, 'a patch needs an object');
  const text = JSON.stringify(merged);
  return write(item, ledger, text, text, rules);
}

/** Idempotent by nature, yet remembered, so that the key cannot be used for something else. */
function deleteNothing(
  item: ReceivedOperation,
  row: StoredRow | undefined,
  ledger: Ledger,
): Outcome {
  const change = row?.change ?? null;
  ledger.remember(item, change, null);
  return { kind: 'applied', change, value: null };
}

function command(
  item: ReceivedOperation,
  current: string | null,
  ledger: Ledger,
  rules: Rules,
): Outcome {
  const handler = rules.commands.get(item.command ?? '');
  if (handler === undefined) return rejected(ProblemType.unknownCommand);
  let value: unknown;
  try {
    value = handler({
      principal: rules.principal,
      collection: item.collection,
      entityId: item.entityId,
      value: current === null ? undefined : JSON.parse(current),
      args: item.payload,
    });
    if (value === undefined) return conflict(ledger.row(item));
    const text = textOf(value, item);
    return write(item, ledger, text, text, rules);
  } catch (error) {
    if (error instanceof OperationRefused) return rejected(ProblemType.refused, error.message);
    rules.onError(error);
    return { kind: 'retry', problem: problem(ProblemType.internal, 'the command failed') };
  }
}

/** @throws TypeError for what would be stored as something else, such as a promise as `{}` */
function textOf(value: unknown, { command: name }: ReceivedOperation): string {
  const isPromise = typeof value === 'object' && value !== null && 'then' in value;
  const text = isPromise ? undefined : (JSON.stringify(value) as string | undefined);
  if (text !== undefined) return text;
  throw new TypeError(`command ${name}: a handler returns a value that JSON can say, at once`);
}

/** @param answered the value to tell the client, which cannot know what came out */
function write(
  item: ReceivedOperation,
  ledger: Ledger,
  text: string | null,
  answered: string | null,
  rules: Rules,
): Outcome {
  if (bytesOf(text) > rules.maxValueBytes) {
    return rejected(ProblemType.tooLarge, `a value has at most ${rules.maxValueBytes} bytes`);
  }
  const change = ledger.put(item, text);
  ledger.remember(item, change, answered);
  return { kind: 'applied', change, value: answered };
}

function rejected(type: ProblemType, detail?: string): Outcome {
  return { kind: 'rejected', problem: problem(type, detail) };
}

function conflict(row: StoredRow | undefined): Outcome {
  return { kind: 'conflict', remote: row?.value ?? null, change: row?.change ?? null };
}

function resultJson(id: string, outcome: Outcome): string {
  const head = `{"id":${JSON.stringify(id)},"status":"${outcome.kind}"`;
  if (outcome.kind === 'rejected' || outcome.kind === 'retry') {
    const isAll = outcome.kind === 'retry' && outcome.scope === 'endpoint';
    const scope = isAll ? ',"scope":"endpoint"' : '';
    return `${head}${scope},"problem":${JSON.stringify(outcome.problem)}}`;
  }
  const version = outcome.change === null ? '' : `,"version":"${outcome.change}"`;
  if (outcome.kind === 'conflict') return `${head},"remote":${outcome.remote ?? 'null'}${version}}`;
  return `${head}${version}${outcome.value === null ? '' : `,"value":${outcome.value}`}}`;
}

/** A row that this push changed. */
interface Slot {
  readonly ref: EntityRef;
  readonly row: StoredRow;
}

interface Savepoint {
  readonly change: number;
  readonly operations: number;
  readonly undo: number;
}

/** The state as of the operations applied so far, with a way back for groups. */
class Ledger {
  readonly #slots = new Map<string, Slot>();
  readonly #loaded: Loaded;
  readonly #added = new Map<string, AppliedOperation>();
  readonly #operations: NewOperation[] = [];
  readonly #undo: (readonly [string, Slot | undefined])[] = [];
  #change: number;

  constructor(loaded: Loaded) {
    this.#loaded = loaded;
    this.#change = loaded.change;
  }

  row(ref: EntityRef): StoredRow | undefined {
    const key = refKey(ref);
    return this.#slots.get(key)?.row ?? this.#loaded.rows.get(key);
  }

  operation(key: string): AppliedOperation | undefined {
    return this.#added.get(key) ?? this.#loaded.operations.get(key);
  }

  put(item: ReceivedOperation, value: string | null): number {
    const key = refKey(item);
    this.#change += 1;
    this.#undo.push([key, this.#slots.get(key)]);
    const row = { change: this.#change, value, operationId: item.key };
    this.#slots.set(key, { ref: item, row });
    return this.#change;
  }

  remember(item: ReceivedOperation, change: number | null, value: string | null): void {
    const { key, id: entryId, collection, entity, operation, fingerprint } = item;
    this.#added.set(key, { fingerprint, change, value });
    this.#operations.push({
      key,
      entryId,
      collection,
      entity,
      operation: operation === 'command' ? `command ${item.command}` : operation,
      fingerprint,
      change,
      value,
    });
  }

  savepoint(): Savepoint {
    const { length } = this.#undo;
    return { change: this.#change, operations: this.#operations.length, undo: length };
  }

  rollBack(to: Savepoint): void {
    for (const [key, slot] of this.#undo.splice(to.undo).reverse()) {
      if (slot === undefined) this.#slots.delete(key);
      else this.#slots.set(key, slot);
    }
    for (const { key } of this.#operations.splice(to.operations)) this.#added.delete(key);
    this.#change = to.change;
  }

  writes(): Omit<Writes, 'at'> {
    const rows = [...this.#slots.values()].map(({ ref, row }) => ({
      collection: ref.collection,
      entity: ref.entity,
      ...row,
    }));
    return { rows, operations: this.#operations, change: this.#change };
  }
}
