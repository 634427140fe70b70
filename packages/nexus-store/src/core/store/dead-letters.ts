import type { Entry } from '../model/entry.ts';
import { encodeValue, wireJson } from '../model/value-codec.ts';

/** Which dead letters; everything given must hold. */
export interface DeadLetterFilter {
  readonly collection?: string;
  /** The code of the last failure. */
  readonly code?: string;
}

/** Dead letters as one JSON text, for people and for support: with payload and reason. */
export function exportDeadLetters(entries: readonly Entry[], now: number): string {
  const letters = entries.map((entry) => ({
    id: entry.id,
    idempotencyKey: entry.idempotencyKey,
    collection: entry.collection,
    entityId: entry.entityId,
    operation: entry.operation,
    command: entry.command,
    isPatch: entry.isPatch,
    priority: entry.priority,
    schemaVersion: entry.schemaVersion,
    attempts: entry.attempts,
    enqueuedAt: new Date(entry.enqueuedAt).toISOString(),
    failure: entry.lastFailure,
    payload: JSON.parse(wireJson(encodeValue(entry.payload))) as unknown,
  }));
  return JSON.stringify({ exportedAt: new Date(now).toISOString(), deadLetters: letters }, null, 2);
}
