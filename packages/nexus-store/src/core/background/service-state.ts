import type { BackgroundSyncConfigOptions } from './background-sync-config.ts';

/** What a service remembers beyond its process. */
export interface ServiceState {
  readonly status: string;
  /** The configuration that was last given, for a process that is woken before it is given again. */
  readonly config: BackgroundSyncConfigOptions | null;
  /** Epoch milliseconds of wake-ups for critical writes, asked for within the last hour. */
  readonly criticalAskedAt: readonly number[];
  /** When the app was last told that it asks for too many of them. */
  readonly criticalWarnedAt: number | null;
  /** One-off requests that wait, with their earliest begin. */
  readonly asked: { readonly [id: string]: number };
  /** What the periodic request was asked with: while it is the same it stays as it is. */
  readonly periodic: string | null;
  /** When the system was last asked, and accepted something. */
  readonly acceptedAt: number | null;
  /** Since when a constraint is unmet, epoch milliseconds. */
  readonly unmetSince: { readonly [constraint: string]: number };
  /** What the host refused when it was last asked. */
  readonly refusal: {
    readonly id: string;
    readonly code: string;
    readonly message: string;
    readonly at: number;
  } | null;
  /** Runs in a row that did not end well, and when the last of them ended. */
  readonly failures: number;
  readonly failedAt: number | null;
  /** How often the server would like to be asked. */
  readonly hint: { readonly intervalMs: number; readonly at: number } | null;
}

export const NEW_STATE: ServiceState = {
  status: 'idle',
  config: null,
  criticalAskedAt: [],
  criticalWarnedAt: null,
  asked: {},
  periodic: null,
  acceptedAt: null,
  unmetSince: {},
  refusal: null,
  failures: 0,
  failedAt: null,
  hint: null,
};

/** The state as it was written; a new one if that cannot be read, which costs no write of the app. */
export function parseState(text: string): ServiceState {
  try {
    return { ...NEW_STATE, ...(JSON.parse(text) as Partial<ServiceState>) };
  } catch {
    return NEW_STATE;
  }
}

/** A server that no longer repeats its hint has changed its mind. */
const HINT_LASTS_MS = 7 * 86_400_000;

/** How often the server would like to be asked now; null if it did not say lately. */
export function hintedIntervalMs({ hint }: ServiceState, now: number): number | null {
  if (hint === null || now < hint.at || now > hint.at + HINT_LASTS_MS) return null;
  return hint.intervalMs;
}
