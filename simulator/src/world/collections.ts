import type { ConflictContext, Resolution } from 'nexus-store';
import type { CollectionName, PlannedWrite } from '../plan/operations.ts';
import { addTokens } from './server.ts';

/** What the app keeps. `token` names the write that this value is of. */
export interface Value {
  readonly id: string;
  readonly token: number;
  readonly a?: number;
  readonly b?: number;
  readonly log?: readonly number[];
  readonly bad?: true;
  /** The version of the app's schema that this was written for, or carried to; absent: 1. */
  readonly m?: number;
  /** Written by a transaction: its token, and the token of what it had read. */
  readonly was?: readonly [token: number, read: number | null];
}

interface CommandArgs {
  readonly tokens: readonly number[];
}

/** The settings of each store: together they cover every strategy there is. */
export interface CollectionSettings {
  readonly coalesce?: boolean;
  readonly conflict:
    | 'merge-fields'
    | 'client-wins'
    | 'server-wins'
    | 'manual'
    | ((context: ConflictContext<Value>) => Resolution<Value>);
  readonly onRejected: 'park' | 'skip' | 'revert';
  readonly isMerging?: boolean;
}

export const COLLECTIONS: Readonly<Record<CollectionName, CollectionSettings>> = {
  notes: { conflict: 'merge-fields', onRejected: 'park', isMerging: true },
  tasks: { conflict: 'client-wins', onRejected: 'skip' },
  audit: { conflict: 'server-wins', onRejected: 'park', coalesce: false },
  docs: { conflict: 'manual', onRejected: 'revert' },
  forms: { conflict: byToken, onRejected: 'park', isMerging: true },
};

/** A handler of the app's own: it takes every kind of decision, and sometimes fails. */
function byToken({ local, remote }: ConflictContext<Value>): Resolution<Value> {
  switch ((local?.token ?? remote?.token ?? 0) % 6) {
    case 0:
      return { use: 'local' };
    case 1:
      return { use: 'remote' };
    case 2:
      return { use: 'merged', value: null };
    case 3:
      return { use: 'later' };
    case 4:
      throw new Error('the handler of the app failed');
    default:
      return { use: 'merged', value: { ...remote, ...local } as Value };
  }
}

export function applyCommand(value: Value, command: string, args: unknown): Value {
  return command === 'add' ? (addTokens(value, args) as Value) : value;
}

export function mergeCommands(previous: unknown, next: unknown): CommandArgs {
  const tokens = [...(previous as CommandArgs).tokens, ...(next as CommandArgs).tokens];
  return { tokens };
}

/** The value that a planned save stores, as an app of this version writes it. */
export function savedValue({ id, token, isBad }: PlannedWrite, version: number): Value {
  const bad = isBad === true ? { bad: true as const } : {};
  return { id, token, a: token, b: token, ...bad, ...markOf(version) };
}

function markOf(version: number): Pick<Value, 'm'> {
  return version === 1 ? {} : { m: version };
}

/** Carries a payload of an older version of the app to this one; a few cannot be carried. */
export function migratedPayload(payload: unknown, version: number): unknown {
  const { token } = payload as Partial<Value>;
  if (token !== undefined && token % 23 === 0) throw new Error('the app cannot carry this over');
  // The arguments of a command are the same in every version.
  return token === undefined ? payload : { ...(payload as object), ...markOf(version) };
}

/** The fields that a planned patch changes: sometimes one, sometimes the other. */
export function patchedFields({ token, isBad }: PlannedWrite, version: number): Partial<Value> {
  const bad = isBad === true ? { bad: true as const } : {};
  return { token, ...(token % 2 === 0 ? { a: token } : { b: token }), ...bad, ...markOf(version) };
}

export function commandArgs({ token }: PlannedWrite): CommandArgs {
  return { tokens: [token] };
}
