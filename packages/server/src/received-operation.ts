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
  readonly invalid: WireProblem;
}

type Json = Readonly<Record<string, unknown>>;

const OPERATIONS: ReadonlySet<unknown> = new Set(['create', 'update', 'delete', 'command']);
const MAX_KEY_LENGTH = 255;
const MAX_NAME_LENGTH = 255;

/**
 * Checks one operation. Members it does not know are ignored.
 *
 * @returns undefined if it has not even an id by which it could be answered
 */
export function receivedOperation(
  json: unknown,
  limits: ReceiverLimits,
  mayBeDeep: boolean,
): ReceivedOperation | InvalidOperation | undefined {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined;
  const raw = json as Json;
  const { id, group } = raw;
  if (!isName(id, MAX_NAME_LENGTH)) return undefined;
  const ofGroup = typeof group === 'string' ? group : null;
  const fault = faultOf(raw);
  if (fault !== undefined) {
    return { id, group: ofGroup, invalid: problem(ProblemType.malformed, fault, 422) };
  }
  if (mayBeDeep && isDeeperThan(raw['payload'], limits.maxDepth)) {
    const detail = `nested deeper than ${limits.maxDepth} levels`;
    return { id, group: ofGroup, invalid: problem(ProblemType.malformed, detail, 422) };
  }
  return received(raw as Json & Checked, id, ofGroup);
}

interface Checked {
  readonly idempotencyKey: string;
  readonly collection: string;
  readonly entityId: EntityId;
  readonly operation: Operation;
  readonly command?: string;
  readonly base?: string | null;
}

function received(raw: Json & Checked, id: string, group: string | null): ReceivedOperation {
  const { idempotencyKey: key, collection, entityId, operation } = raw;
  const isPatch = operation === 'update' && raw['patch'] === true;
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

/** What is wrong with an operation, undefined if nothing is. */
function faultOf(raw: Json): string | undefined {
  const { idempotencyKey, collection, entityId, operation, base, group } = raw;
  if (!isName(idempotencyKey, MAX_KEY_LENGTH)) return 'idempotencyKey must be 1 to 255 characters';
  if (!isName(collection, MAX_NAME_LENGTH)) return 'collection must be 1 to 255 characters';
  // JSON has numbers too large for a double: as infinity they would all be one entity.
  if (!isName(entityId, MAX_NAME_LENGTH) && !Number.isFinite(entityId)) {
    return 'entityId must be a finite number or a string of 1 to 255 characters';
  }
  if (!OPERATIONS.has(operation)) return 'operation must be create, update, delete or command';
  if (operation === 'command' && !isName(raw['command'], MAX_NAME_LENGTH)) {
    return 'a command needs its name';
  }
  if (!isShortText(base)) return 'base must be a string of at most 255 characters';
  if (!isShortText(group)) return 'group must be a string of at most 255 characters';
  return operation === 'delete' || Object.hasOwn(raw, 'payload') ? undefined : 'payload is missing';
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
export function depthOfJson(text: string): number {
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
function isDeeperThan(value: unknown, maxDepth: number): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > maxDepth) return true;
    level = level.flatMap((item) =>
      typeof item === 'object' && item !== null ? (Object.values(item) as unknown[]) : [],
    );
    level = level.filter((item) => typeof item === 'object' && item !== null);
  }
  return false;
}
