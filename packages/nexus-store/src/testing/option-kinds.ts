import {
  FLAG,
  FUNCTION,
  NAME,
  objectWith,
  oneOf,
  requireKind,
  requireOptions,
  type Kind,
  type Kinds,
} from '../core/model/arguments.ts';
import { durationMs, POSITIVE_DURATION, type Duration } from '../core/model/duration.ts';
import type { DeviceFacts } from '../core/ports/device-state.ts';
import type { DeviceConditions } from './device/conditions.ts';
import type { TestFunctions } from './test-functions.ts';

/** Seeds, instants and lengths on a number line: what cannot be counted with would stop time. */
export const FINITE: Kind = { said: 'a finite number', fits: Number.isFinite };
export const SHARE: Kind = {
  said: 'a number from 0 to 1',
  fits: (value) => typeof value === 'number' && value >= 0 && value <= 1,
};
export const PROFILE: Kind = objectWith('a day profile, such as commuter', 'days');

const LONGEST_SPAN_MS = 3_660 * 86_400_000;

/** How long a simulation may last: every day of it is lived through. */
export const SPAN: Kind = {
  said: 'more than 0 milliseconds and at most ten years',
  fits: (value) =>
    POSITIVE_DURATION.fits(value) && durationMs(value as Duration, 'span') <= LONGEST_SPAN_MS,
};

const PERCENT: Kind = {
  said: 'a number from 0 to 100',
  fits: (value) => typeof value === 'number' && value >= 0 && value <= 100,
};

const CONDITIONS: Kinds<DeviceConditions> = {
  network: oneOf('none', 'metered', 'unmetered', 'roaming'),
  isCharging: FLAG,
  batteryLevel: PERCENT,
  isStorageLow: FLAG,
  isScreenOn: FLAG,
  isStationary: FLAG,
  isPowerSaving: FLAG,
  isBackgroundAllowed: FLAG,
};

/** @throws UsageError `usage/invalid-argument`, naming the condition */
export function requireConditions(change: Partial<DeviceConditions>): void {
  requireOptions('the conditions of a device', change, CONDITIONS);
}

const KNOWN_FLAG: Kind = {
  said: 'true, false or null',
  fits: (value) => value === null || typeof value === 'boolean',
};

function known(...choices: readonly string[]): Kind {
  const kind = oneOf(...choices);
  return { said: `${kind.said} or null`, fits: (value) => value === null || kind.fits(value) };
}

const FACTS: Kinds<DeviceFacts> = {
  isConnected: KNOWN_FLAG,
  isMetered: KNOWN_FLAG,
  isRoaming: KNOWN_FLAG,
  isCharging: KNOWN_FLAG,
  isBatteryLow: KNOWN_FLAG,
  isStorageLow: KNOWN_FLAG,
  isDeviceIdle: KNOWN_FLAG,
  isPowerSaving: KNOWN_FLAG,
  isBackgroundAllowed: KNOWN_FLAG,
  standbyBucket: known('active', 'working-set', 'frequent', 'rare', 'restricted'),
  appState: known('foreground', 'background', 'headless'),
};

/** @throws UsageError `usage/invalid-argument`, naming the fact */
export function requireFacts(facts: Partial<DeviceFacts>): void {
  requireOptions('the facts of a device', facts, FACTS);
}

const RUNNER = objectWith(
  'describe, test and expect of a test runner',
  'describe',
  'test',
  'expect',
);

/**
 * The arguments of every conformance suite.
 *
 * @throws UsageError `usage/invalid-argument`
 */
export function requireSuite(
  suite: string,
  name: string,
  createHarness: () => Promise<unknown>,
  functions: TestFunctions,
): void {
  requireKind(`${suite}: name`, name, NAME);
  requireKind(`${suite}: createHarness`, createHarness, FUNCTION);
  requireKind(`${suite}: functions`, functions, RUNNER);
}
