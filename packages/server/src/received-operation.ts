import { hash } from 'node:crypto';
import { ProblemType } from 'nexus-store/http';
import type { WireOperation, WireProblem } from 'nexus-store/http';
import type { ReceiverLimits } from './limits.ts';
import { problem } from './problems.ts';
import type { EntityRef } from './receiver-store.ts';

type EntityId = WireOperation['entityId'];
type Operation = WireOperation['operation'];

/** One operation of a push, checked. */
export interface ReceivedOperation extends EntityRef {
  readonly id: string;
  readonly key: string;
  readonly entityId: EntityId;
  readonly operation: Operation;
  readonly isPatch: boolean;
  readonly command: string | null;
  readonly base: string | null;
  readonly payload: unknown;
  readonly payloadText: string;
  readonly group: string | null;
  /** Tells what a key was used for. */
  readonly fingerprint: string;
  readonly invalid: undefined;
}

/** An operation that can be answered, since it has an id, and not applied. */
export interface InvalidOperation {
  readonly id: string;
  readonly group: string | null;
  /** What it would have changed, if it says so: nothing later may be applied to that. */
  readonly ref: EntityRef | undefined;
  readonly invalid: WireProblem;
}

/** The entity that an operation is about; undefined if it does not say. */
export function refOf(item: ReceivedOperation | InvalidOperation): EntityRef | undefined {
  return item.invalid === undefined ? item : item.ref;
}

type Json = Readonly<Record<string, unknown>>;

const OPERATIONS: ReadonlySet<unknown> = new Set(['create', 'update', 'delete', 'command']);
const MAX_KEY_LENGTH = 255;
const MAX_NAME_LENGTH = 255;

/** What the text of a request gives reason to look for. It is quicker than to walk every payload. */
export interface Suspicion {
  readonly mayBeDeep: boolean;
  readonly mayBeInfinite: boolean;
}

export function suspicionOf(text: string, limits: ReceiverLimits): Suspicion {
  return {
    mayBeDeep: depthOfJson(text) > limits.maxDepth,
    mayBeInfinite: MAYBE_INFINITE.test(text),
  };
}

/** Numbers too large for a double have an exponent, or more digits than any other. */
const MAYBE_INFINITE = /\d[eE]\+?\d|(?<!\d)\d{300}/;

/**
 * Checks one operation. Members it does not know are ignored; what it knows is never taken for something
 * else than was sent.
 *
 * @returns undefined if it has not even an id by which it could be answered
 */
export function receivedOperation(
  json: unknown,
  limits: ReceiverLimits,
  suspicion: Suspicion,
): ReceivedOperation | InvalidOperation | undefined {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined;
  const raw = json as Json;
  const { id, group } = raw;
  if (!isName(id, MAX_NAME_LENGTH)) return undefined;
  const ofGroup = typeof group === 'string' ? group : null;
  const fault = faultOf(raw) ?? faultOfPayload(raw['payload'], limits, suspicion);
  if (fault === undefined) return received(raw as Json & Checked, id, ofGroup);
  const invalid = problem(ProblemType.malformed, fault, 422);
  return { id, group: ofGroup, ref: namedBy(raw), invalid };
}

interface Checked {
  readonly idempotencyKey: string;
  readonly collection: string;
  readonly entityId: EntityId;
  readonly operation: Operation;
  readonly command?: string | null;
  readonly patch?: boolean;
  readonly base?: string | null;
}

function received(raw: Json & Checked, id: string, group: string | null): ReceivedOperation {
  const { idempotencyKey: key, collection, entityId, operation } = raw;
  const isPatch = raw.patch === true;
  const command = operation === 'command' ? (raw.command ?? '') : null;
  const payload = operation === 'delete' ? null : (raw['payload'] ?? null);
  const payloadText = JSON.stringify(payload);
  const entity = JSON.stringify(entityId);
  const what = `${collection}\n${entity}\n${operation}${isPatch ? '+' : ''}\n${command}\n${payloadText}`;
  return {
    id,
    key,
    collection,
    entity,
    entityId,
    operation,
    isPatch,
    command,
    base: raw.base ?? null,
    payload,
    payloadText,
    group,
    fingerprint: hash('sha256', what, 'base64url'),
    invalid: undefined,
  };
}

/** What is wrong with an operation, apart from its payload; undefined if nothing is. */
function faultOf(raw: Json): string | undefined {
  const { idempotencyKey, collection, entityId, operation, base, group, schemaVersion } = raw;
  if (!isName(idempotencyKey, MAX_KEY_LENGTH)) return 'idempotencyKey must be 1 to 255 characters';
  if (!isName(collection, MAX_NAME_LENGTH)) return 'collection must be 1 to 255 characters';
  if (!isEntityId(entityId)) {
    return 'entityId must be a finite number or a string of 1 to 255 characters';
  }
  if (!OPERATIONS.has(operation)) return 'operation must be create, update, delete or command';
  if (!isShortText(base)) return 'base must be a string of at most 255 characters';
  if (!isShortText(group)) return 'group must be a string of at most 255 characters';
  if (schemaVersion !== undefined && !Number.isFinite(schemaVersion)) {
    return 'schemaVersion must be a number';
  }
  if (operation !== 'delete' && !Object.hasOwn(raw, 'payload')) return 'payload is missing';
  return faultOfKind(raw);
}

/** A value taken whole where its fields were meant, or where a command was, would be lost. */
function faultOfKind({ operation, patch, command }: Json): string | undefined {
  if (patch !== undefined && typeof patch !== 'boolean') return 'patch must be true or false';
  if (patch === true && operation !== 'update') return 'patch goes with update only';
  if (operation === 'command') {
    return isName(command, MAX_NAME_LENGTH) ? undefined : 'a command needs its name';
  }
  const isNone = command === undefined || command === null;
  return isNone ? undefined : 'command goes with the operation command only';
}

function faultOfPayload(
  payload: unknown,
  { maxDepth }: ReceiverLimits,
  { mayBeDeep, mayBeInfinite }: Suspicion,
): string | undefined {
  if (!mayBeDeep && !mayBeInfinite) return undefined;
  const { isDeeper, isInfinite } = looked(payload, maxDepth);
  if (isDeeper) return `nested deeper than ${maxDepth} levels`;
  // It would be stored as null.
  return isInfinite ? 'a number in the payload is too large' : undefined;
}

function namedBy({ collection, entityId }: Json): EntityRef | undefined {
  if (!isName(collection, MAX_NAME_LENGTH) || !isEntityId(entityId)) return undefined;
  return { collection, entity: JSON.stringify(entityId) };
}

/** JSON has numbers too large for a double: as infinity they would all be one entity. */
function isEntityId(value: unknown): value is EntityId {
  return isName(value, MAX_NAME_LENGTH) || Number.isFinite(value);
}

function isShortText(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return typeof value === 'string' && value.length <= MAX_NAME_LENGTH;
}

/** A lone surrogate would come back from the database as something else. */
const LONE_SURROGATE = /\p{Surrogate}/u;

function isName(value: unknown, maxLength: number): value is string {
  if (typeof value !== 'string' || value === '' || value.length > maxLength) return false;
  return !LONE_SURROGATE.test(value);
}

/** The deepest nesting in JSON text, found without building anything. */
function depthOfJson(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 0x22) at = endOfString(text, at);
    else if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x7d || code === 0x5d) depth -= 1;
  }
  return deepest;
}

/** The position of the quote that ends the string which begins at `start`. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end >= 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end < 0 ? text.length : end;
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes += 1;
  return backslashes % 2 === 1;
}

/** Level by level, without recursion: the value may be deeper than the stack. */
function looked(value: unknown, maxDepth: number): { isDeeper: boolean; isInfinite: boolean } {
  let isInfinite = value === Infinity || value === -Infinity;
  let level: object[] = isContainer(value) ? [value] : [];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > maxDepth) return { isDeeper: true, isInfinite };
    const next: object[] = [];
    for (const container of level) {
      for (const item of Object.values(container) as unknown[]) {
        if (isContainer(item)) next.push(item);
        else if (item === Infinity || item === -Infinity) isInfinite = true;
      }
    }
    level = next;
  }
  return { isDeeper: false, isInfinite };
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
