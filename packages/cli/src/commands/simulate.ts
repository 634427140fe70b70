import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { BackgroundSyncConfig, type BackgroundSyncConfigOptions, type Duration } from 'nexus-store';
import { CliError } from '../cli-error.ts';
import type { Command, CommandContext, CommandResult } from '../command.ts';
import { ExitCode } from '../exit-code.ts';
import { plain } from '../format.ts';
import type { Options } from '../options.ts';
import { ProgressBar } from '../progress-bar.ts';
import { reportPage } from '../report/page.ts';
import { simulatedText } from '../report/simulated-text.ts';
import {
  OUTAGE_AFTER_MS,
  PLATFORMS,
  PLATFORM_TITLE,
  PROFILE_NAMES,
  simulateInThread,
  type Simulated,
  type SimulationJob,
} from '../report/simulation.ts';

const DAY_MS = 86_400_000;
const MOST_DAYS = 90;
const FLAGS = {
  enabled: 'enabled',
  requiresNetwork: 'requires-network',
  requiresCharging: 'requires-charging',
  requiresBatteryNotLow: 'requires-battery-not-low',
} as const;

export const simulateCommand: Command = {
  name: 'simulate',
  summary: 'fast-forward a week of a phone, or a fleet, under a configuration',
  options: {
    profile: { type: 'string' },
    platform: { type: 'string' },
    days: { type: 'string' },
    seed: { type: 'string' },
    config: { type: 'string' },
    enabled: { type: 'string' },
    'min-interval': { type: 'string' },
    'requires-network': { type: 'string' },
    'requires-charging': { type: 'string' },
    'requires-battery-not-low': { type: 'string' },
    fleet: { type: 'string' },
    'fleet-days': { type: 'string' },
    outage: { type: 'string' },
    report: { type: 'string' },
    force: { type: 'boolean' },
  },
  help: `nexus-store simulate [options]

Fast-forwards a week of a simulated phone with the real store, queue and background service under a
configuration, and says how long writes take to the server, how often the phone is woken, and how long its
radio is on. With --fleet, many phones and one server that fails for a while. Needs no database, no network.

  --profile NAME       ${PROFILE_NAMES.join(', ')} (default: commuter)
  --platform NAME      android or ios (default: android)
  --days N             how long the phone is simulated (default: 7)
  --seed N             the same seed gives the same days (default: 1)

  --config FILE        BackgroundSyncConfig as JSON; these options go before it:
  --enabled BOOL       true or false: ask the system for wake-ups at all (default: true)
  --min-interval TIME  the least time between periodic runs (default: 15m)
  --requires-network BOOL          only with a network (default: true)
  --requires-charging BOOL         only while charging (default: false)
  --requires-battery-not-low BOOL  only while the battery is not low (default: true)

  --fleet N            simulate N phones too: of all profiles and both platforms, unless --profile or
                       --platform names one (default: 0)
  --fleet-days N       how long the fleet is simulated (default: 1)
  --outage TIME        how long the fleet's server fails, from noon of the first day; 0s for not at all
                       (default: 1h)

  --report FILE        write a report with plots: one HTML file that needs nothing else
  --force              overwrite FILE`,

  async run(context: CommandContext): Promise<CommandResult> {
    const { options } = context;
    const file = reportFile(options);
    const config = configOf(options);
    const [deviceJob, fleetJob] = jobsOf(options, config);
    const [device, fleet] = await simulated(context, deviceJob, fleetJob);
    const all: Simulated = { config, device, fleet, fleetOf: fleetOf(options) };
    if (file !== undefined) write(file, reportPage(all), options.isSet('force'));
    const isBroken = device.lost.length + device.appliedTwice.length > 0;
    const written = file === undefined ? '' : `\n\nThe report is in ${plain(file, 200)}`;
    return {
      text: simulatedText(all) + written,
      json: { config, device, fleet, report: file ?? null },
      exitCode: isBroken ? ExitCode.failed : ExitCode.ok,
    };
  },
};

type Job<Kind> = SimulationJob & { readonly kind: Kind };

function jobsOf(
  options: Options,
  config: BackgroundSyncConfigOptions,
): [Job<'device'>, Job<'fleet'> | undefined] {
  const profile = options.oneOf('profile', PROFILE_NAMES);
  const platform = options.oneOf('platform', PLATFORMS);
  const seed = options.count('seed', 0) ?? 1;
  const lengthMs = daysOf(options, 'days', 7) * DAY_MS;
  const fleetMs = daysOf(options, 'fleet-days', 1) * DAY_MS;
  const outageMs = msOf(options.duration('outage') ?? '1h');
  const devices = options.count('fleet', 0) ?? 0;
  if (OUTAGE_AFTER_MS + outageMs >= fleetMs) {
    throw new CliError(
      'usage/invalid-argument',
      '--outage must end before the fleet does: it begins at noon of the first day; see --fleet-days',
    );
  }
  const device = { config, platform: platform ?? 'android', profile: profile ?? 'commuter', seed };
  const fleet = { kind: 'fleet', config, platform, profile, seed, devices, outageMs } as const;
  return [
    { kind: 'device', ...device, lengthMs },
    devices === 0 ? undefined : { ...fleet, lengthMs: fleetMs },
  ];
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: DAY_MS };

function msOf(duration: Duration): number {
  const [, value, unit = ''] = /^([\d.]+)([a-z]*)$/.exec(String(duration)) ?? [];
  return Number(value) * (UNIT_MS[unit] ?? 1);
}

function daysOf(options: Options, name: string, fallback: number): number {
  const days = options.count(name, 1) ?? fallback;
  if (days <= MOST_DAYS) return days;
  throw new CliError('usage/invalid-argument', `--${name} must be ${MOST_DAYS} at most`);
}

/** Both at once. */
async function simulated(
  { signal, stderr }: CommandContext,
  deviceJob: Job<'device'>,
  fleetJob: Job<'fleet'> | undefined,
): Promise<[Simulated['device'], Simulated['fleet']]> {
  const bar = new ProgressBar(stderr, 'simulating the fleet');
  const total = fleetJob?.devices ?? 0;
  // If one of them fails, so does the other; the command's end ends its thread.
  const ending = new AbortController();
  const either = AbortSignal.any([signal, ending.signal]);
  try {
    return await Promise.all([
      simulateInThread(deviceJob, either),
      fleetJob === undefined
        ? null
        : simulateInThread(fleetJob, either, (done) => bar.update(done / total, done, 'phones')),
    ]);
  } catch (error) {
    if (signal.aborted) throw interrupted();
    throw error;
  } finally {
    ending.abort();
    bar.clear();
  }
}

function interrupted(): CliError {
  return new CliError('cli/interrupted', 'stopped; a simulation leaves nothing behind', {
    exitCode: ExitCode.interrupted,
  });
}

function fleetOf(options: Options): string {
  const platform = options.oneOf('platform', PLATFORMS);
  const profile = options.oneOf('profile', PROFILE_NAMES);
  const who = profile === undefined ? 'all profiles' : `profile ${profile}`;
  return `${who}, ${platform === undefined ? 'Android and iOS' : PLATFORM_TITLE[platform]}`;
}

/** The file's fields, then the options over them. Complete and checked. */
function configOf(options: Options): Simulated['config'] {
  const file = options.text('config');
  const minInterval = options.duration('min-interval');
  const flags = Object.entries(FLAGS).flatMap(([field, name]) => {
    const value = options.oneOf(name, ['true', 'false']);
    return value === undefined ? [] : [[field, value === 'true'] as const];
  });
  return {
    ...new BackgroundSyncConfig({
      ...(file === undefined ? {} : configFile(file)),
      ...(minInterval === undefined ? {} : { minInterval }),
      ...(Object.fromEntries(flags) as BackgroundSyncConfigOptions),
    }),
  };
}

function configFile(file: string): BackgroundSyncConfigOptions {
  const shown = plain(file, 200);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const { code } = cause as { code?: unknown };
    throw new CliError('cli/unreadable', `${shown} cannot be read (${String(code)})`, { cause });
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Told below.
  }
  throw new CliError(
    'usage/invalid-argument',
    `--config: ${shown} must hold one JSON object, such as {"minInterval":"1h"}`,
  );
}

/** Looked at first: a long simulation should not end with a file that is there. */
function reportFile(options: Options): string | undefined {
  const file = options.text('report');
  if (file !== undefined && !options.isSet('force') && existsSync(file)) throw exists(file);
  return file;
}

function exists(file: string): CliError {
  return new CliError('cli/exists', `${plain(file, 200)} exists; name another, or give --force`);
}

function write(file: string, html: string, isForced: boolean): void {
  try {
    writeFileSync(file, html, { flag: isForced ? 'w' : 'wx' });
  } catch (cause) {
    const { code } = cause as { code?: unknown };
    if (code === 'EEXIST') throw exists(file);
    const reason = `${plain(file, 200)} cannot be written (${String(code)})`;
    throw new CliError('cli/unwritable', `${reason}; name another with --report`, { cause });
  }
}
