/**
 * The names and shapes of wire protocol v1, shared by `httpRemote` and the reference server. The prose,
 * for people who write another server, is `docs/reference/protocol.md`.
 */
import type { EntityId, Operation } from '../../core/model/entry.ts';

export const PROTOCOL_VERSION = 1;
/** Of requests and of answers that this protocol recognises; anything else is no acknowledgement. */
export const PROTOCOL_CONTENT_TYPE = 'application/vnd.nexus-store.v1+json';
/** RFC 9457. */
export const PROBLEM_CONTENT_TYPE = 'application/problem+json';
export const EVENTS_CONTENT_TYPE = 'text/event-stream';

export const PROTOCOL_PATHS: {
  readonly push: string;
  readonly pull: string;
  readonly events: string;
} = {
  push: '/v1/push',
  pull: '/v1/pull',
  events: '/v1/events',
};

/** Problem types of the protocol. Decide on these and on the status, never on titles or details. */
export const ProblemType = {
  malformed: 'urn:nexus-store:problem:malformed',
  unauthorised: 'urn:nexus-store:problem:unauthorised',
  forbidden: 'urn:nexus-store:problem:forbidden',
  notFound: 'urn:nexus-store:problem:not-found',
  methodNotAllowed: 'urn:nexus-store:problem:method-not-allowed',
  unsupportedMediaType: 'urn:nexus-store:problem:unsupported-media-type',
  tooLarge: 'urn:nexus-store:problem:too-large',
  tooManyOperations: 'urn:nexus-store:problem:too-many-operations',
  upgradeRequired: 'urn:nexus-store:problem:upgrade-required',
  throttled: 'urn:nexus-store:problem:throttled',
  busy: 'urn:nexus-store:problem:busy',
  internal: 'urn:nexus-store:problem:internal',
  cursorExpired: 'urn:nexus-store:problem:cursor-expired',
  cursorInvalid: 'urn:nexus-store:problem:cursor-invalid',
  keyReused: 'urn:nexus-store:problem:key-reused',
  keyInProgress: 'urn:nexus-store:problem:key-in-progress',
  alreadyApplied: 'urn:nexus-store:problem:already-applied',
  groupFailed: 'urn:nexus-store:problem:group-failed',
  predecessorFailed: 'urn:nexus-store:problem:predecessor-failed',
  unknownCommand: 'urn:nexus-store:problem:unknown-command',
  refused: 'urn:nexus-store:problem:refused',
} as const;
export type ProblemType = (typeof ProblemType)[keyof typeof ProblemType];

/** An RFC 9457 problem. Unknown members are ignored. */
export interface WireProblem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
}

export interface WireOperation {
  /** Names the operation within the request and its result; opaque to the server. */
  readonly id: string;
  readonly idempotencyKey: string;
  readonly collection: string;
  readonly entityId: EntityId;
  readonly operation: Operation;
  readonly patch?: true;
  readonly command?: string;
  readonly base?: string;
  readonly payload: unknown;
  readonly schemaVersion: number;
  readonly group?: string;
}

export interface WirePushRequest {
  readonly protocol: typeof PROTOCOL_VERSION;
  readonly operations: readonly WireOperation[];
}

export type WireResult =
  | {
      readonly id: string;
      readonly status: 'applied';
      readonly version?: string;
      readonly value?: unknown;
    }
  | {
      readonly id: string;
      readonly status: 'conflict';
      /** The server's row, null if it was deleted or never existed. */
      readonly remote: unknown;
      readonly version?: string;
      readonly problem?: WireProblem;
    }
  | { readonly id: string; readonly status: 'rejected'; readonly problem: WireProblem }
  | {
      readonly id: string;
      readonly status: 'retry';
      readonly scope?: 'entry' | 'endpoint';
      readonly ambiguous?: boolean;
      /** Seconds. */
      readonly retryAfter?: number;
      readonly problem?: WireProblem;
    };

export interface WirePushAnswer {
  readonly protocol: typeof PROTOCOL_VERSION;
  readonly results: readonly WireResult[];
}

export interface WireRow {
  readonly id: EntityId;
  readonly version: string;
  readonly value: unknown;
  readonly operationId: string | null;
}

export interface WireTombstone {
  readonly id: EntityId;
  readonly version: string;
  readonly operationId: string | null;
}

export interface WirePullAnswer {
  readonly protocol: typeof PROTOCOL_VERSION;
  readonly rows: readonly WireRow[];
  readonly tombstones: readonly WireTombstone[];
  readonly cursor: string;
  readonly more: boolean;
}

/** True if a `Content-Type` header names this media type, whatever its parameters and case. */
export function hasMediaType(contentType: string | null, mediaType: string): boolean {
  return mediaTypeOf(contentType) === mediaType;
}

/** True if a `Content-Type` header names JSON, of whatever kind. */
export function isJsonMediaType(contentType: string | null): boolean {
  const mediaType = mediaTypeOf(contentType);
  return mediaType === 'application/json' || mediaType?.endsWith('+json') === true;
}

function mediaTypeOf(contentType: string | null): string | undefined {
  return contentType?.split(';', 1)[0]?.trim().toLowerCase();
}
