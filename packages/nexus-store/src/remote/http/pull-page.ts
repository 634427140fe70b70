import { RemoteError } from '../../core/model/errors.ts';
import { fromWire } from '../../core/model/value-codec.ts';
import type { PulledRow, PullPage } from '../../core/ports/remote.ts';
import { PROTOCOL_VERSION } from './protocol.ts';
import { isJsonObject, parseJson } from './push-results.ts';
import type { JsonObject } from './push-results.ts';

/**
 * The page of an answer. One unreadable row refuses the whole page: a cursor must never advance past a
 * row that was not taken.
 *
 * @throws RemoteError `remote/protocol`
 */
export function pullPage(text: string): PullPage {
  const answer = parseJson(text);
  if (!isJsonObject(answer) || answer['protocol'] !== PROTOCOL_VERSION) {
    throw malformed('not an answer of this protocol');
  }
  const { rows, tombstones, cursor, more } = answer;
  if (!Array.isArray(rows) || !Array.isArray(tombstones)) throw malformed('rows are missing');
  if (typeof cursor !== 'string' || typeof more !== 'boolean') throw malformed('no cursor');
  const pulled = [
    ...(rows as readonly unknown[]).map((row) => pulledRow(row, false)),
    ...(tombstones as readonly unknown[]).map((row) => pulledRow(row, true)),
  ];
  return { rows: pulled, cursor, hasMore: more };
}

function pulledRow(row: unknown, isDeleted: boolean): PulledRow {
  if (!isJsonObject(row)) throw malformed('a row is not an object');
  const { id, version, operationId } = row;
  if (typeof id !== 'string' && typeof id !== 'number') throw malformed('a row has no id');
  if (typeof version !== 'string') throw malformed('a row has no version');
  return {
    id,
    version,
    value: isDeleted ? undefined : rowValue(row),
    isDeleted,
    operationId: typeof operationId === 'string' ? operationId : null,
  };
}

function rowValue(row: JsonObject): unknown {
  if (!Object.hasOwn(row, 'value')) throw malformed('a row has no value');
  try {
    return fromWire(row['value']);
  } catch (cause) {
    throw malformed('a value cannot be decoded', cause);
  }
}

function malformed(what: string, cause?: unknown): RemoteError {
  return new RemoteError('remote/protocol', `the server's page cannot be used: ${what}`, { cause });
}
