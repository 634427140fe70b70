import { PRIORITIES, type SyncPriority } from 'nexus-store';
import type { DelaysByPriority, DeviceSimulation, FleetSimulation } from 'nexus-store/testing';
import { counted, formatSpan } from '../format.ts';
import { AXIS_HEIGHT, bottomAxis, linear, type Area, type Scale, type Tick } from './axis.ts';
import { boxes, label, line, type Drawing, type Plot } from './svg.ts';

export type Distributions = FleetSimulation['distributions'];
type Distribution = Distributions[SyncPriority];

/** The axis begins here: what is faster is drawn there. */
const LEAST_MS = 100;
const BINS_PER_DECADE = 8;
const TICKS: readonly (readonly [ms: number, text: string])[] = [
  [100, '0.1 s'],
  [1_000, '1 s'],
  [10_000, '10 s'],
  [60_000, '1 min'],
  [600_000, '10 min'],
  [3_600_000, '1 h'],
  [21_600_000, '6 h'],
  [86_400_000, '1 day'],
  [604_800_000, '7 days'],
  [7_776_000_000, '90 days'],
];

export function delayPlot(id: string, delays: DelaysByPriority, of: Distributions): Plot {
  return {
    id,
    title: 'Delay from save to server, by priority',
    alternative: PRIORITIES.map((priority) => rowText(priority, delays)).join(' '),
    draw: (width) => drawRows(delays, of, width),
  };
}

/** The writes of one device as a distribution. */
export function distributionsOf({ saves }: DeviceSimulation): Distributions {
  const of = (priority: SyncPriority): Distribution =>
    saves.flatMap((save) =>
      save.priority === priority && save.arrivedAt !== null
        ? [{ upToMs: Math.max(0, save.arrivedAt - save.savedAt), count: 1 }]
        : [],
    );
  return { critical: of('critical'), high: of('high'), normal: of('normal'), low: of('low') };
}

function rowText(priority: SyncPriority, delays: DelaysByPriority): string {
  const { arrived, p50Ms, p90Ms, p99Ms, worstMs } = delays[priority];
  if (p50Ms === null) return `${priority}: nothing arrived.`;
  const [p50, p90, p99, worst] = [p50Ms, p90Ms ?? 0, p99Ms ?? 0, worstMs ?? 0].map(formatSpan);
  return `${priority}: ${counted(arrived, 'write')}, half within ${p50}, 90 % within ${p90}, 99 % within ${p99}, the slowest ${worst}.`;
}

const HEAD = 34;
const BARS = 46;
const ROW = HEAD + BARS + 12;

function drawRows(delays: DelaysByPriority, of: Distributions, width: number): Drawing {
  const area: Area = { left: 46, right: width - 8, top: 0, bottom: PRIORITIES.length * ROW };
  const worst = Math.max(...PRIORITIES.map((priority) => delays[priority].worstMs ?? 0));
  const until = TICKS.find(([ms]) => ms >= Math.max(worst, 3_600_000))?.[0] ?? worst;
  const log = linear([Math.log10(LEAST_MS), Math.log10(until)], [area.left, area.right]);
  const x: Scale = (ms) => log(Math.log10(Math.max(LEAST_MS, Math.min(ms, until))));
  const rows = PRIORITIES.map((priority, index) =>
    drawRow(priority, delays, of[priority], x, { ...area, top: index * ROW }),
  );
  const axis = bottomAxis(area, timeTicks(x, until), 'delay from save to server (logarithmic)');
  return { height: area.bottom + AXIS_HEIGHT, body: axis + rows.join('') };
}

function timeTicks(x: Scale, until: number): readonly Tick[] {
  let last = -Infinity;
  return TICKS.filter(([ms]) => ms <= until).flatMap(([ms, text]) => {
    const at = x(ms);
    if (at - last < 42) return [];
    last = at;
    return [{ at, text }];
  });
}

function drawRow(
  priority: SyncPriority,
  delays: DelaysByPriority,
  distribution: Distribution,
  x: Scale,
  area: Area,
): string {
  const { arrived } = delays[priority];
  const bottom = area.top + HEAD + BARS;
  const bins = binned(distribution);
  const most = Math.max(1, ...bins.values());
  const bars = [...bins].map(([bin, count]) => {
    const left = x(10 ** (bin / BINS_PER_DECADE));
    // A single write in a thousand must still be seen.
    const height = Math.max(2, (count / most) * BARS);
    const width = x(10 ** ((bin + 1) / BINS_PER_DECADE)) - left;
    return { x: left + 0.5, y: bottom - height, width: Math.max(1.5, width - 1), height };
  });
  const share = arrived === 0 ? '' : `${Math.round((most / arrived) * 100)} %`;
  return [
    label(0, area.top + 13, priority, { class: 'strong' }),
    label(60, area.top + 13, counted(arrived, 'write'), { class: 'tick' }),
    label(area.left - 6, bottom - BARS + 8, share, { class: 'tick', 'text-anchor': 'end' }),
    label(area.left - 6, bottom, '0 %', { class: 'tick', 'text-anchor': 'end' }),
    line([area.left, bottom], [area.right, bottom], 'axis'),
    boxes(bars, `bar ${priority}`),
    percentiles(delays[priority], x, bottom),
    summary(delays[priority], area),
  ].join('');
}

function summary({ p50Ms, p99Ms }: DelaysByPriority[SyncPriority], area: Area): string {
  if (p50Ms === null || p99Ms === null) return '';
  const [half, most] = [formatSpan(p50Ms), formatSpan(p99Ms)];
  const isNarrow = area.right < 500;
  const text = isNarrow ? `p50 ${half}, p99 ${most}` : `half within ${half}, 99 % within ${most}`;
  const attributes = { class: 'tick', 'text-anchor': 'end' };
  return label(area.right, area.top + 13, text, attributes);
}

/** Marks that stand above the bars; labels that have no room are left out, the table has them. */
function percentiles(
  { p50Ms, p90Ms, p99Ms }: DelaysByPriority[SyncPriority],
  x: Scale,
  bottom: number,
): string {
  const marks = [
    [p50Ms, 'p50'],
    [p90Ms, 'p90'],
    [p99Ms, 'p99'],
  ] as const;
  let last = -Infinity;
  return marks
    .map(([ms, text]) => {
      if (ms === null) return '';
      const at = x(ms);
      const top = bottom - BARS - 4;
      const mark = line([at, top], [at, bottom], 'mark');
      if (at - last < 25) return mark;
      last = at;
      return mark + label(at, top - 3, text, { class: 'mark-text', 'text-anchor': 'middle' });
    })
    .join('');
}

function binned(distribution: Distribution): ReadonlyMap<number, number> {
  const bins = new Map<number, number>();
  for (const { upToMs, count } of distribution) {
    const bin = Math.floor(Math.log10(Math.max(LEAST_MS, upToMs)) * BINS_PER_DECADE + 1e-9);
    bins.set(bin, (bins.get(bin) ?? 0) + count);
  }
  return bins;
}
