/**
 * Every failure an app can meet has a stable `code`; messages may change between releases, codes may
 * not. Each code has a heading in `docs/reference/errors.md`.
 */
const BRAND = Symbol.for('nexus-store.error');

export type StorageErrorCode =
  | 'storage/closed'
  | 'storage/unavailable'
  | 'storage/read-only'
  | 'storage/quota-exceeded'
  | 'storage/busy'
  | 'storage/corrupt'
  | 'storage/version-too-new';
export type QueueErrorCode =
  | 'queue/full'
  | 'queue/claim-lost'
  | 'queue/entry-too-large'
  | 'queue/duplicate-name'
  // Nothing throws these: they stand in `lastFailure`.
  | 'queue/expired'
  | 'queue/base-discarded'
  | 'queue/transaction-too-large'
  | 'queue/buried';
export type StoreErrorCode =
  | 'store/exists'
  | 'store/not-found'
  | 'store/invalid-value'
  | 'store/has-pending'
  | 'store/signed-out'
  | 'store/transaction-conflict'
  | 'store/conflict-changed';
export type RemoteErrorCode =
  | 'remote/offline'
  | 'remote/timeout'
  | 'remote/throttled'
  | 'remote/server'
  | 'remote/unauthorised'
  | 'remote/rejected'
  | 'remote/conflict'
  | 'remote/protocol'
  | 'remote/upgrade-required'
  | 'remote/cursor-expired';
export type ScheduleErrorCode =
  | 'schedule/unsupported'
  | 'schedule/unavailable'
  | 'schedule/too-many-pending'
  | 'schedule/not-permitted'
  | 'schedule/not-configured'
  | 'schedule/invalid'
  | 'schedule/host';
export type UsageErrorCode =
  | 'usage/invalid-argument'
  | 'usage/unknown-priority'
  | 'usage/missing-id'
  | 'usage/unsupported-value'
  | 'usage/unsupported-runtime';
export type ErrorCode =
  | StorageErrorCode
  | QueueErrorCode
  | StoreErrorCode
  | RemoteErrorCode
  | ScheduleErrorCode
  | UsageErrorCode;

export interface ErrorOptions {
  readonly cause?: unknown;
}

export interface RemoteErrorOptions extends ErrorOptions {
  readonly status?: number;
  readonly retryAfterMs?: number;
}

/**
 * The base of every operating error. Decide on `code`, never on the message.
 *
 * Each class spells its name out: a minifier renames the classes themselves, and error trackers group by name.
 */
export class NexusError<Code extends string = string> extends Error {
  override readonly name: string = 'NexusError';
  readonly code: Code;

  constructor(code: Code, message: string, options: ErrorOptions = {}) {
    super(message);
    this.code = code;
    if (options.cause !== undefined) {
      Object.defineProperty(this, 'cause', { value: options.cause, configurable: true });
    }
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/** The database could not do what was asked. Nothing of the failed transaction was kept. */
export class StorageError extends NexusError<StorageErrorCode> {
  override readonly name: string = 'StorageError';
}
/** The queue refused, or a claim is no longer held. */
export class QueueError extends NexusError<QueueErrorCode> {
  override readonly name: string = 'QueueError';
}
/** A write contradicts what the store holds. */
export class StoreError extends NexusError<StoreErrorCode> {
  override readonly name: string = 'StoreError';
}
/** The server could not be asked, or its answer is not usable. */
export class RemoteError extends NexusError<RemoteErrorCode> {
  override readonly name: string = 'RemoteError';
  /** The HTTP status, where there was one. */
  readonly status?: number;
  /** How long the server asked to wait, in milliseconds. */
  readonly retryAfterMs?: number;

  constructor(code: RemoteErrorCode, message: string, options: RemoteErrorOptions = {}) {
    super(code, message, options);
    if (options.status !== undefined) this.status = options.status;
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
  }
}
/** The platform's scheduler refused a request. */
export class ScheduleError extends NexusError<ScheduleErrorCode> {
  override readonly name: string = 'ScheduleError';
}
/** The caller passed something that can never work. */
export class UsageError extends NexusError<UsageErrorCode> {
  override readonly name: string = 'UsageError';
}

/** Work was stopped on purpose; `reason` says why. Named like the platform's own abort error. */
export class StoppedError extends Error {
  readonly reason: string;

  constructor(reason: string) {
    super(`stopped: ${reason}`);
    this.name = 'AbortError';
    this.reason = reason;
  }
}

/** A broken invariant: a bug in nexus-store, never the caller's fault. */
export class InvariantError extends Error {
  constructor(message: string) {
    super(`invariant broken: ${message}`);
    this.name = 'InvariantError';
  }
}

export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** True for errors of nexus-store, also when two copies of the package are loaded. */
export function isNexusError(error: unknown, code?: ErrorCode): error is NexusError<ErrorCode> {
  if (typeof error !== 'object' || error === null || !(BRAND in error)) return false;
  return code === undefined || (error as unknown as NexusError).code === code;
}
