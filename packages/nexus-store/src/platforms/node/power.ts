import { readdirSync, readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../core/ports/runtime.ts';

/** What is known of power; null where nothing tells. */
export interface PowerFacts {
  readonly isCharging: boolean | null;
  readonly isBatteryLow: boolean | null;
}

export const UNKNOWN_POWER: PowerFacts = { isCharging: null, isBatteryLow: null };

/** What is used of the package `systeminformation`: `import si from 'systeminformation'` fits. */
export interface SystemInformationLike {
  battery(): Promise<{
    readonly hasBattery: boolean;
    readonly isCharging: boolean;
    readonly acConnected: boolean;
    readonly percent: number;
  }>;
}

/** Below this a battery that is not charging is low, as Android has it. */
const LOW_PERCENT = 15;
/** Asking may start another process. */
const POWER_MS = 60_000;

/** Power as `systeminformation` tells it; on macOS and Windows it asks another process. */
export async function powerFromSystemInformation(
  systemInformation: SystemInformationLike,
): Promise<PowerFacts> {
  const { hasBattery, isCharging, acConnected, percent } = await systemInformation.battery();
  const isPowered = isCharging || acConnected;
  if (!hasBattery) return { isCharging: isPowered || null, isBatteryLow: false };
  return { isCharging: isPowered, isBatteryLow: !isPowered && percent <= LOW_PERCENT };
}

/** Where Linux tells of chargers and batteries. */
export const POWER_SUPPLIES = '/sys/class/power_supply';

/**
 * Whether the kernel will have anything to say of the machine's power: a server has neither battery nor charger,
 * and then no constraint can be kept by it. A USB port alone may be one that feeds others.
 */
export function tellsPower(folder: string = POWER_SUPPLIES): boolean {
  const read = (name: string, field: string): string => {
    try {
      return readFileSync(join(folder, name, field), 'utf8').trim();
    } catch {
      return '';
    }
  };
  try {
    return readdirSync(folder).some((name) => {
      const type = read(name, 'type');
      return isOurs({ type, scope: read(name, 'scope') }) && type !== 'USB';
    });
  } catch {
    return false;
  }
}

/** The batteries of mice and keyboards are of scope Device. */
function isOurs({ type, scope }: { readonly type: string; readonly scope: string }): boolean {
  return type !== '' && scope !== 'Device';
}

/** Power as the Linux kernel tells it, in a few small files: no package is needed for that. */
export async function powerFromKernel(folder: string = POWER_SUPPLIES): Promise<PowerFacts> {
  const names = await readdir(folder).catch(() => []);
  const supplies = await Promise.all(names.map((name) => readSupply(join(folder, name))));
  const ours = supplies.filter(isOurs);
  const batteries = ours.filter(({ type }) => type === 'Battery');
  const chargers = ours.filter(({ type }) => type !== 'Battery');
  if (batteries.length === 0 && chargers.length === 0) return UNKNOWN_POWER;
  const isPowered =
    chargers.some(({ online }) => online === '1') ||
    (batteries.length > 0 && batteries.every(({ status }) => isFed(status)));
  const fullest = Math.max(...batteries.map(({ capacity }) => Number(capacity || Number.NaN)));
  const isLow = Number.isNaN(fullest) ? null : fullest <= LOW_PERCENT;
  return {
    // What has no battery and runs is fed by something, whether or not the kernel sees by what.
    isCharging: isPowered || (batteries.length === 0 ? null : false),
    isBatteryLow: batteries.length === 0 || isPowered ? false : isLow,
  };
}

function isFed(status: string): boolean {
  return status === 'Charging' || status === 'Full' || status === 'Not charging';
}

const FIELDS = ['type', 'scope', 'online', 'status', 'capacity'] as const;

async function readSupply(folder: string): Promise<Record<(typeof FIELDS)[number], string>> {
  const values = await Promise.all(
    FIELDS.map((field) => readFile(join(folder, field), 'utf8').catch(() => '')),
  );
  const [type = '', scope = '', online = '', status = '', capacity = ''] = values.map((value) =>
    value.trim(),
  );
  return { type, scope, online, status, capacity };
}

/** Asks at most once in `POWER_MS`; in between the last answer holds. */
export function rarely<T>(clock: Clock, ask: () => Promise<T>): () => Promise<T> {
  let last: { readonly at: number; readonly answer: Promise<T> } | undefined;
  return () => {
    const now = clock.elapsed();
    if (last === undefined || now - last.at >= POWER_MS) last = { at: now, answer: ask() };
    return last.answer;
  };
}
