import { decodeValue, encodeValue } from '../model/value-codec.ts';
import type { CollectionRules } from './collection-rules.ts';

/**
 * The arguments of two waiting commands of one name, folded into one by the app's own function. Undefined if
 * there is none, or if it gives what cannot be sent in place of both: then each goes by itself, and nothing of
 * either is lost. The function has copies of its own, so it may change them.
 */
export function mergedArgs(
  rules: CollectionRules,
  previous: string | null,
  next: string | null,
  command: string,
): string | undefined {
  if (rules.merge === undefined) return undefined;
  const args = [argsOf(previous), argsOf(next)] as const;
  try {
    const isEmpty = args[0] === undefined && args[1] === undefined;
    const merged = rules.merge(...args, command);
    // Most likely it changed its arguments and forgot to give them back.
    if (merged === undefined && !isEmpty) throw new TypeError('merge gave back nothing');
    return encodeValue(merged);
  } catch (error) {
    rules.onMergeFailed?.(command, error);
    return undefined;
  }
}

function argsOf(payload: string | null): unknown {
  return payload === null ? undefined : decodeValue(payload);
}
