import {
  COUNT,
  NUMBER,
  OBJECT,
  oneOf,
  requireKind,
  requireOptions,
  SIGNAL,
  TEXT,
  type Kinds,
} from '../model/arguments.ts';
import type { Duration } from '../model/duration.ts';
import { DURATION, durationMs, POSITIVE_DURATION } from '../model/duration.ts';
import { UsageError } from '../model/errors.ts';
import { DEFAULT_BACKOFF, type Backoff } from '../queue/backoff.ts';

/** How one `sync` may run. */
export interface SyncOptions {
  /** Epoch milliseconds by which it has stopped. Nothing is sent that could end later. */
  readonly deadline?: number;
  /**
   * The longest it may take. The earlier of both counts. Of less than five seconds only the first half begins
   * to send; in less than 134 milliseconds nothing is sent. `low` entries go only while ten seconds are left.
   */
  readonly budget?: Duration;
  /** Stops it: what is under way becomes ambiguous and is sent again later with the same key. */
  readonly signal?: AbortSignal;
  /** For the journal and the events. */
  readonly reason?: string;
}

const SYNC_OPTIONS: Kinds<SyncOptions> = {
  deadline: NUMBER,
  budget: DURATION,
  signal: SIGNAL,
  reason: TEXT,
};

/** @throws UsageError `usage/invalid-argument`, naming the option */
export function requireSyncOptions(options: SyncOptions): void {
  requireOptions('sync', options, SYNC_OPTIONS);
}

/** How the engine sends. Every value has a default; see `ENGINE_DEFAULTS`. */
export interface EngineOptions {
  /** Requests in flight at once; one more is kept for critical entries. */
  readonly concurrency: number;
  /** Entries in one request, as far as the remote allows. Small, so that urgent writes go next. */
  readonly batchSize: number;
  /**
   * Length of all payloads of one request, about: a single entry or transaction may be larger. A character
   * may take three bytes on the wire, so servers must take three times this.
   */
  readonly maxBatchBytes: number;
  /** The longest one request may take. */
  readonly requestTimeoutMs: number;
  /** How long a claim protects its entries: longer than a request, or two runners may send the same. */
  readonly leaseMs: number;
  readonly backoff: Backoff;
  /** Consumed attempts after which an entry becomes a dead letter. */
  readonly maxAttempts: number;
  /** Heads that waited this long compete one class higher; null: strict priority. */
  readonly agingMs: number | null;
  /** Rows asked for in one pull. */
  readonly pullLimit: number;
}

export const ENGINE_DEFAULTS: EngineOptions = {
  concurrency: 4,
  batchSize: 50,
  maxBatchBytes: 1_048_576,
  requestTimeoutMs: 30_000,
  leaseMs: 40_000,
  backoff: DEFAULT_BACKOFF,
  maxAttempts: 10,
  agingMs: null,
  pullLimit: 500,
};

/** The engine's options as an app writes them. */
export interface SyncSettings {
  /** @defaultValue `4` */
  readonly concurrency?: number;
  /** @defaultValue `50` */
  readonly batchSize?: number;
  /**
   * About how many characters of payload one request carries at most; a larger entry goes alone. Servers
   * must take about three times as many bytes.
   *
   * @defaultValue `1_048_576`
   */
  readonly maxBatchBytes?: number;
  /** @defaultValue `'30s'` */
  readonly requestTimeout?: Duration;
  /** @defaultValue the request timeout and ten seconds */
  readonly lease?: Duration;
  /**
   * How failed attempts are spaced. `initial` may not be longer than `cap`.
   *
   * @defaultValue exponential from one second, at most five minutes (or `initial` if that is longer), one hour
   *   after ten attempts
   */
  readonly backoff?: {
    readonly policy?: 'exponential' | 'linear';
    readonly initial?: Duration;
    readonly cap?: Duration;
  };
  /** @defaultValue `10` */
  readonly maxAttempts?: number;
  /** @defaultValue off: priority is strict */
  readonly aging?: Duration;
}

export const SYNC_SETTINGS: Kinds<SyncSettings> = {
  concurrency: COUNT,
  batchSize: COUNT,
  maxBatchBytes: COUNT,
  requestTimeout: POSITIVE_DURATION,
  lease: DURATION,
  backoff: OBJECT,
  maxAttempts: COUNT,
  aging: DURATION,
};
const BACKOFF_OPTIONS: Kinds<NonNullable<SyncSettings['backoff']>> = {
  policy: oneOf('exponential', 'linear'),
  initial: DURATION,
  cap: DURATION,
};

/** @throws UsageError `usage/invalid-argument`, naming the field */
export function engineOptions(settings: SyncSettings): EngineOptions {
  const requestTimeoutMs = durationMs(
    settings.requestTimeout ?? ENGINE_DEFAULTS.requestTimeoutMs,
    'requestTimeout',
  );
  const leaseMs = durationMs(settings.lease ?? requestTimeoutMs + 10_000, 'lease');
  if (leaseMs <= requestTimeoutMs) {
    throw new UsageError(
      'usage/invalid-argument',
      `lease (${leaseMs} ms) must be longer than requestTimeout (${requestTimeoutMs} ms), or two runners may send the same entry`,
    );
  }
  return {
    ...ENGINE_DEFAULTS,
    concurrency: count(settings.concurrency ?? ENGINE_DEFAULTS.concurrency, 'concurrency'),
    batchSize: count(settings.batchSize ?? ENGINE_DEFAULTS.batchSize, 'batchSize'),
    maxBatchBytes: count(settings.maxBatchBytes ?? ENGINE_DEFAULTS.maxBatchBytes, 'maxBatchBytes'),
    maxAttempts: count(settings.maxAttempts ?? ENGINE_DEFAULTS.maxAttempts, 'maxAttempts'),
    requestTimeoutMs,
    leaseMs,
    backoff: backoffOf(settings),
    agingMs: settings.aging === undefined ? null : durationMs(settings.aging, 'aging'),
  };
}

function backoffOf({ backoff = {} }: SyncSettings): Backoff {
  requireOptions('backoff', backoff, BACKOFF_OPTIONS);
  const asked =
    backoff.initial === undefined ? null : durationMs(backoff.initial, 'backoff.initial');
  const capMs = durationMs(
    backoff.cap ?? Math.max(DEFAULT_BACKOFF.capMs, asked ?? 0),
    'backoff.cap',
  );
  if (asked !== null && asked > capMs) {
    throw new UsageError(
      'usage/invalid-argument',
      `backoff.initial (${asked} ms) must not be longer than backoff.cap (${capMs} ms)`,
    );
  }
  return {
    policy: backoff.policy ?? DEFAULT_BACKOFF.policy,
    initialMs: asked ?? Math.min(DEFAULT_BACKOFF.initialMs, capMs),
    capMs,
    lateCapMs: Math.max(capMs, backoff.cap === undefined ? DEFAULT_BACKOFF.lateCapMs : capMs),
    floorMs: Math.min(DEFAULT_BACKOFF.floorMs, capMs),
  };
}

function count(value: number, field: string): number {
  requireKind(field, value, COUNT);
  return value;
}
