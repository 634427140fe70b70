import { PRIORITIES, type SyncPriority } from 'nexus-store';
import type { DelaysByPriority, DeviceSimulation, FleetSimulation } from 'nexus-store/testing';
import { counted, formatSpan } from '../format.ts';
import { AXIS_HEIGHT, bottomAxis, linear, type Area, type Scale, type Tick } from './axis.ts';
import { label, line, rounded, tag, type Drawing, type Plot } from './svg.ts';

export type Distributions = FleetSimulation['distributions'];
type Distribution = Distributions[SyncPriority];

/** The axis begins here: what is faster is drawn there. */
const LEAST_MS = 100;
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
const CURVE = 46;
/** What the height means stands above all. */
const TITLE = 24;
const ROW = HEAD + CURVE + 12;

function drawRows(delays: DelaysByPriority, of: Distributions, width: number): Drawing {
  const area: Area = {
    left: 46,
    right: width - 8,
    top: TITLE,
    bottom: TITLE + PRIORITIES.length * ROW,
  };
  const worst = Math.max(...PRIORITIES.map((priority) => delays[priority].worstMs ?? 0));
  const until = TICKS.find(([ms]) => ms >= Math.max(worst, 3_600_000))?.[0] ?? worst;
  const log = linear([Math.log10(LEAST_MS), Math.log10(until)], [area.left, area.right]);
  const x: Scale = (ms) => log(Math.log10(Math.max(LEAST_MS, Math.min(ms, until))));
  const rows = PRIORITIES.map((priority, index) =>
    drawRow(priority, delays, of[priority], x, { ...area, top: TITLE + index * ROW }),
  );
  const axis = bottomAxis(area, timeTicks(x, until), 'delay from save to server (logarithmic)');
  const title = label(0, 12, 'share of writes that took at most so long (%)', {
    class: 'axis-title',
  });
  return { height: area.bottom + AXIS_HEIGHT, body: axis + title + rows.join('') };
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
  const bottom = area.top + HEAD + CURVE;
  const end = { class: 'tick', 'text-anchor': 'end' };
  return [
    label(0, area.top + 13, priority, { class: 'strong' }),
    label(60, area.top + 13, counted(arrived, 'write'), { class: 'tick' }),
    label(area.left - 6, bottom - CURVE + 8, '100 %', end),
    label(area.left - 6, bottom, '0 %', end),
    line([area.left, bottom - CURVE], [area.right, bottom - CURVE], 'grid'),
    cumulative(distribution, priority, x, { ...area, top: bottom - CURVE, bottom }),
    line([area.left, bottom], [area.right, bottom], 'axis'),
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

/** Marks that stand above the curve; labels that have no room are left out, the table has them. */
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
      const top = bottom - CURVE - 4;
      const mark = line([at, top], [at, bottom], 'mark');
      if (at - last < 25) return mark;
      last = at;
      return mark + label(at, top - 3, text, { class: 'mark-text', 'text-anchor': 'middle' });
    })
    .join('');
}

/** How much of it had arrived by then: a step up at each delay. */
function cumulative(
  distribution: Distribution,
  className: string,
  x: Scale,
  { right, top, bottom }: Area,
): string {
  const sorted = distribution.toSorted((a, b) => a.upToMs - b.upToMs);
  const total = sorted.reduce((sum, { count }) => sum + count, 0);
  if (total === 0) return '';
  const heights = new Map<number, number>(); // by pixel: more cannot be seen
  let seen = 0;
  for (const { upToMs, count } of sorted) {
    seen += count;
    heights.set(Math.round(x(upToMs)), bottom - (seen / total) * (bottom - top));
  }
  const steps = [...heights].map(([at, height]) => `H${at}V${rounded(height)}`);
  const [first = 0] = heights.keys();
  const d = `M${first} ${rounded(bottom)}${steps.join('')}H${rounded(right)}V${rounded(bottom)}z`;
  return tag('path', { d, class: `share ${className}` });
}
