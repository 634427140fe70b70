import type { FleetSimulation } from 'nexus-store/testing';
import { formatCount, formatSpan } from '../format.ts';
import { AXIS_HEIGHT, bottomAxis, clock, hourTicks, linear, roundUp } from './axis.ts';
import type { Area, Scale } from './axis.ts';
import { loadText, rate } from './simulated-text.ts';
import { label, line, rounded, tag, type Drawing, type Plot } from './svg.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** What a server should be able to bear. */
const LIMIT = 3;

interface Window {
  readonly from: number;
  readonly until: number;
}

/** Requests per minute before, in and after the outage. */
export function outagePlot(fleet: FleetSimulation): Plot {
  const { outage } = fleet;
  const window =
    outage === null
      ? fleet
      : {
          from: Math.max(fleet.from, outage.from - 1.5 * HOUR_MS),
          until: Math.min(fleet.until, outage.until + 2.5 * HOUR_MS),
        };
  return {
    id: 'outage',
    title: 'Requests per minute around the outage',
    alternative: `${loadText(fleet)} ${outageText(fleet)}`,
    draw: (width) => drawLoad(fleet, window, width, 300),
  };
}

/** The same for all the time that was simulated. */
export function loadPlot(fleet: FleetSimulation): Plot {
  const { load } = fleet;
  return {
    id: 'load',
    title: 'Requests per minute, all the time',
    alternative: `On average ${rate(load.meanPerMinute)} requests per minute, ${formatCount(load.peakPerMinute)} in the worst minute, ${load.peakToMean.toFixed(1)} times as many.`,
    draw: (width) => drawLoad(fleet, fleet, width, 200),
  };
}

function outageText({ outage, load }: FleetSimulation): string {
  if (outage === null) return 'The server never failed.';
  const refused = load.refused.reduce((sum, count) => sum + count, 0);
  return `The server failed for ${formatSpan(outage.until - outage.from)} from ${clock(outage.from)} on and refused ${formatCount(refused)} requests.`;
}

function drawLoad(fleet: FleetSimulation, window: Window, width: number, height: number): Drawing {
  const area: Area = { left: 48, right: width - 8, top: 30, bottom: 30 + height };
  const { load } = fleet;
  const top = roundUp(Math.max(load.peakPerMinute, load.meanPerMinute * LIMIT) * 1.05);
  const x = linear([window.from, window.until], [area.left, area.right]);
  const y = linear([0, top], [area.bottom, area.top]);
  const parts = [
    outageBand(fleet, window, x, area),
    bottomAxis(area, hourTicks(window.from, window.until, x), 'time on the server (hours:minutes)'),
    leftAxis(top, y, area),
    areaPath(fleet, load.served, window, x, y, 'served'),
    areaPath(fleet, load.refused, window, x, y, 'refused'),
    level(load.meanPerMinute, `mean: ${rate(load.meanPerMinute)}`, y, area),
    level(load.meanPerMinute * LIMIT, `${LIMIT} times the mean`, y, area),
    peak(fleet, window, x, y, area),
  ];
  return { height: area.bottom + AXIS_HEIGHT, body: parts.join('') };
}

function leftAxis(top: number, y: Scale, { left, right }: Area): string {
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => {
    const at = y(top * part);
    return (
      line([left, at], [right, at], 'grid') +
      label(left - 6, at + 4, rate(top * part).replace('0.0', '0'), {
        class: 'tick',
        'text-anchor': 'end',
      })
    );
  });
  return ticks.join('') + label(0, 12, 'requests per minute', { class: 'axis-title' });
}

function outageBand({ outage }: FleetSimulation, window: Window, x: Scale, area: Area): string {
  if (outage === null || outage.from > window.until) return '';
  const [from, until] = [x(outage.from), x(outage.until)];
  const { top, bottom } = area;
  const text = label((from + until) / 2, top - 6, 'outage', {
    class: 'strong',
    'text-anchor': 'middle',
  });
  const band = { x: from, y: top, width: until - from, height: bottom - top };
  return tag('rect', { ...band, class: 'outage' }) + text;
}

/** A step for each minute; where a minute is less than a pixel, the worst of those that share it. */
function areaPath(
  { from }: FleetSimulation,
  counts: readonly number[],
  window: Window,
  x: Scale,
  y: Scale,
  className: string,
): string {
  const first = Math.floor((window.from - from) / MINUTE_MS);
  const last = Math.min(counts.length, Math.ceil((window.until - from) / MINUTE_MS));
  const step = Math.max(1, Math.ceil(1 / (x(from + MINUTE_MS) - x(from))));
  const points: string[] = [];
  for (let minute = first; minute < last; minute += step) {
    const worst = Math.max(...counts.slice(minute, minute + step));
    const [left, right] = [x(from + minute * MINUTE_MS), x(from + (minute + step) * MINUTE_MS)];
    points.push(`L${rounded(left)} ${rounded(y(worst))}H${rounded(right)}`);
  }
  const [start, end] = [x(from + first * MINUTE_MS), x(from + last * MINUTE_MS)].map(rounded);
  const zero = rounded(y(0));
  return tag('path', {
    d: `M${start} ${zero}${points.join('')}L${end} ${zero}z`,
    class: className,
  });
}

function level(value: number, text: string, y: Scale, { left, right }: Area): string {
  const at = y(value);
  return line([left, at], [right, at], 'level') + plate(right - 4, at - 6, text, 'end');
}

/** The worst minute of the window from the end of the outage on. */
function peak(fleet: FleetSimulation, window: Window, x: Scale, y: Scale, area: Area): string {
  const { load, outage, from } = fleet;
  const begin = Math.max(outage?.until ?? from, window.from);
  const [first, last] = [begin, window.until].map((at) => Math.floor((at - from) / MINUTE_MS));
  const all = load.served.map((count, minute) => count + (load.refused[minute] ?? 0));
  const value = all.slice(first, last).reduce((most, count) => Math.max(most, count), 0);
  if (value === 0) return '';
  const at = from + (all.indexOf(value, first) + 0.5) * MINUTE_MS;
  const name = value === load.peakAfterOutagePerMinute ? 'peak' : 'worst here';
  const [cx, cy] = [x(at), y(value)];
  const text = `${name}: ${formatCount(value)}, ${(value / load.meanPerMinute).toFixed(1)} × mean`;
  const isRight = cx + plateWidth(text) + 9 < area.right;
  return (
    tag('circle', { cx, cy, r: 4.5, class: 'peak' }) +
    plate(cx + (isRight ? 9 : -9), cy - 8, text, isRight ? 'start' : 'end')
  );
}

/** Text on a plate, so that it can be read over anything. */
function plate(x: number, y: number, text: string, anchor: 'start' | 'end'): string {
  const width = plateWidth(text);
  const left = anchor === 'end' ? x - width + 4 : x - 4;
  const back = { x: left, y: y - 12, width, height: 16, rx: 3, class: 'plate' };
  return tag('rect', back) + label(x, y, text, { class: 'strong', 'text-anchor': anchor });
}

function plateWidth(text: string): number {
  return text.length * 6.6 + 8;
}
