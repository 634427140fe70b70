import type { WireOperation } from 'nexus-store/http';
import { fieldOf, mergeFields } from './merge-fields.ts';

export interface CommandContext {
  readonly principal: string;
  readonly collection: string;
  readonly entityId: WireOperation['entityId'];
  /** The entity's value as JSON (with the tags of the protocol), undefined if there is none. */
  readonly value: unknown;
  /** What the client sent with the command. */
  readonly args: unknown;
}

/**
 * The entity's new value; undefined answers "there is no such entity". Runs inside the transaction: it
 * must be quick, depend on nothing but its argument, and throw `OperationRefused` to refuse.
 */
export type CommandHandler = (context: CommandContext) => unknown;

/** The operation will never be accepted; the message is told to the client. */
export class OperationRefused extends Error {}

/** `increment {field, by}` adds to a numeric field; a field that is not there counts as 0. */
export const increment: CommandHandler = ({ value, args }: CommandContext): unknown => {
  if (value === undefined) return undefined;
  const { field, by } = (args ?? {}) as { field?: unknown; by?: unknown };
  if (typeof field !== 'string') throw new OperationRefused('increment needs {field, by}');
  if (typeof by !== 'number') throw new OperationRefused('increment needs a number in "by"');
  const before = fieldOf(value, field) ?? 0;
  if (typeof before !== 'number') throw new OperationRefused(`${field} is not a number`);
  if (!Number.isFinite(before + by)) throw new OperationRefused(`${field} would overflow`);
  const merged = mergeFields(value, { [field]: before + by });
  if (merged === undefined) throw new OperationRefused('the entity has no fields');
  return merged;
};
