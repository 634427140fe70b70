import type { OutgoingEntry } from '../../core/ports/remote.ts';
import { PROTOCOL_VERSION } from './protocol.ts';

/**
 * The body of a push. A payload is JSON text already and is put in as it stands: parsing and writing it
 * again would cost time and could change it.
 */
export function pushBody(batch: readonly OutgoingEntry[]): string {
  return `{"protocol":${PROTOCOL_VERSION},"operations":[${batch.map(operationJson).join(',')}]}`;
}

function operationJson(entry: OutgoingEntry): string {
  const quoted = (text: string): string => JSON.stringify(text);
  let json =
    `{"id":${quoted(entry.id)},"idempotencyKey":${quoted(entry.idempotencyKey)}` +
    `,"collection":${quoted(entry.collection)},"entityId":${JSON.stringify(entry.entityId)}` +
    `,"operation":"${entry.operation}","schemaVersion":${entry.schemaVersion}`;
  if (entry.isPatch) json += ',"patch":true';
  if (entry.command !== null) json += `,"command":${quoted(entry.command)}`;
  if (entry.baseVersion !== null) json += `,"base":${quoted(entry.baseVersion)}`;
  if (entry.group !== null) json += `,"group":${quoted(entry.group)}`;
  return `${json},"payload":${entry.payloadJson ?? 'null'}}`;
}
