import { PRIORITIES } from 'nexus-store';
import type { DelaysByPriority, DeviceSimulation, FleetSimulation } from 'nexus-store/testing';
import { counted, facts, formatCount, formatSpan, table } from '../format.ts';
import { PLATFORM_TITLE, type Simulated } from './simulation.ts';

const DAY_MS = 86_400_000;
/** Android's least interval of periodic work. */
const ANDROID_LEAST_MS = 15 * 60_000;
/** Below this many phones a minute's load is mostly chance. */
const FEW_DEVICES = 1_000;

/** What a terminal shows. */
export function simulatedText({ config, device, fleet, fleetOf }: Simulated): string {
  const parts = [
    `${deviceTitle(device)}, seed ${device.seed}\n${configText(config, device.platform)}`,
    `From save to server:\n${delayTable(device.delays)}`,
    `${fateText(device)}\n${facts([
      ['wake-ups', `${device.wakeUpsPerDay.toFixed(1)} per day`],
      ['radio on', `${formatCount(device.radioOnSecondsPerDay)} s per day`],
    ])}`,
  ];
  if (fleet !== null) parts.push(fleetText(fleet, fleetOf));
  return parts.join('\n\n');
}

export function deviceTitle({ profile, platform, from, until }: DeviceSimulation): string {
  const days = counted(Math.round((until - from) / DAY_MS), 'day');
  return `${days} of a ${profile} phone with ${PLATFORM_TITLE[platform]}`;
}

/** The configuration in one or two sentences. */
export function configText(
  config: Simulated['config'],
  platform: DeviceSimulation['platform'],
): string {
  if (config.enabled === false) return 'Background sync is off: it syncs in front only.';
  const needs = [
    ...(config.networkType === 'not-required' ? [] : [networkText(config.networkType)]),
    ...(config.requiresCharging === true ? ['a charger'] : []),
    ...(config.requiresBatteryNotLow === true ? ['a battery that is not low'] : []),
  ];
  const needed = needs.length === 0 ? 'nothing' : needs.join(', ');
  const isRaised = platform === 'android' && config.minInterval < ANDROID_LEAST_MS;
  const raised = isRaised ? ' Android raises that to 15 min.' : '';
  return `Background sync every ${formatSpan(config.minInterval)} at most; needs ${needed}.${raised}`;
}

function networkText(type: Simulated['config']['networkType']): string {
  return type === undefined || type === 'connected' ? 'a network' : `a network (${type})`;
}

/** What became of the writes. */
export function fateText({ saves, lost, appliedTwice }: DeviceSimulation): string {
  const arrived = saves.filter(({ arrivedAt }) => arrivedAt !== null).length;
  const waiting = saves.length - arrived - lost.length;
  const parts = [
    ...(waiting > 0 ? [`${formatCount(waiting)} still in the queue`] : []),
    `${formatCount(lost.length)} lost`,
    `${formatCount(appliedTwice.length)} applied twice`,
  ];
  return `${formatCount(arrived)} of ${counted(saves.length, 'write')} on the server, ${parts.join(', ')}.`;
}

function delayTable(delays: DelaysByPriority): string {
  return table(DELAY_COLUMNS, delayRows(delays));
}

export const DELAY_COLUMNS: readonly string[] = [
  'priority',
  'saved',
  'arrived',
  'p50',
  'p90',
  'p99',
  'worst',
];

export function delayRows(delays: DelaysByPriority): readonly (readonly string[])[] {
  return PRIORITIES.map((priority) => {
    const { saved, arrived, p50Ms, p90Ms, p99Ms, worstMs } = delays[priority];
    const spans = [p50Ms, p90Ms, p99Ms, worstMs].map((ms) => (ms === null ? '-' : formatSpan(ms)));
    return [priority, formatCount(saved), formatCount(arrived), ...spans];
  });
}

function fleetText(fleet: FleetSimulation, fleetOf: string): string {
  const { devices, from, until, wakeUpsPerDay, radioOnSecondsPerDay } = fleet;
  const days = counted(Math.round((until - from) / DAY_MS), 'day');
  return [
    `${days} of a fleet of ${counted(devices, 'phone')} (${fleetOf})`,
    `\n${delayTable(fleet.delays)}\n`,
    facts([
      ['wake-ups', `${wakeUpsPerDay.toFixed(1)} per phone and day`],
      ['radio on', `${formatCount(radioOnSecondsPerDay)} s per phone and day`],
      ['mean load', `${rate(fleet.load.meanPerMinute)} requests per minute`],
    ]),
    loadText(fleet),
    ...(devices < FEW_DEVICES ? [FEW_TEXT] : []),
  ].join('\n');
}

const FEW_TEXT = `With fewer than ${formatCount(FEW_DEVICES)} phones that ratio is mostly chance: take more.`;

/** The finding of a fleet in one sentence. */
export function loadText({ load, outage }: FleetSimulation): string {
  const peak = outage === null ? load.peakPerMinute : load.peakAfterOutagePerMinute;
  const ratio = outage === null ? load.peakToMean : load.peakAfterOutageToMean;
  const when =
    outage === null
      ? 'The worst minute'
      : `The worst minute after an outage of ${formatSpan(outage.until - outage.from)}`;
  return `${when} brought ${counted(peak, 'request')}, ${ratio.toFixed(1)} times the mean.`;
}

export function rate(perMinute: number): string {
  return perMinute < 10 ? perMinute.toFixed(1) : formatCount(perMinute);
}

export function smallFleetNote({ devices }: FleetSimulation): string {
  return devices < FEW_DEVICES ? FEW_TEXT : '';
}
