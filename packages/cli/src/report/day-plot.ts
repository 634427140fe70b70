import { PRIORITIES } from 'nexus-store';
import type { DeviceSimulation } from 'nexus-store/testing';
import { counted, formatSpan } from '../format.ts';
import { AXIS_HEIGHT, bottomAxis, clock, dayName, hourTicks, linear, type Scale } from './axis.ts';
import { stretchesOf, totalMs, within, type Stretch } from './stretches.ts';
import { boxes, label, line, tag, type Box, type Drawing, type Plot } from './svg.ts';

const DAY_MS = 86_400_000;
/** A week has room for so many days. */
export const MOST_DAYS = 14;
const LONG_MS = 60_000;

type Run = DeviceSimulation['runs'][number];

/** What one strip of a day shows. */
interface Strip {
  readonly name: string;
  readonly height: number;
  draw(x: Scale, y: number, from: number, until: number): string;
}

/** The day with the longest waits, hour by hour. */
export function dayPlot(device: DeviceSimulation): Plot {
  const from = tellingDay(device);
  return {
    id: 'day',
    title: `${dayName(from)}, hour by hour`,
    alternative: dayText(device, from),
    draw: (width) => drawDays([from], width, [...conditionStrips(device, 22), ...writes(device)]),
  };
}

/** Every day, small. */
export function weekPlot(device: DeviceSimulation): Plot {
  const days = daysOf(device).slice(0, MOST_DAYS);
  return {
    id: 'week',
    title: 'All days',
    alternative: days.map((from) => dayText(device, from)).join(' '),
    draw: (width) => drawDays(days, width, conditionStrips(device, 13)),
  };
}

export function daysOf({ from, until }: DeviceSimulation): readonly number[] {
  return Array.from(
    { length: Math.round((until - from) / DAY_MS) },
    (_, day) => from + day * DAY_MS,
  );
}

function tellingDay(device: DeviceSimulation): number {
  const waits = new Map<number, number>(daysOf(device).map((day) => [day, 0]));
  for (const { savedAt, arrivedAt } of device.saves) {
    const day = device.from + Math.floor((savedAt - device.from) / DAY_MS) * DAY_MS;
    const waited = Math.max(0, (arrivedAt ?? device.until) - savedAt);
    // Twice as long is not twice as telling.
    if (waited > LONG_MS) waits.set(day, (waits.get(day) ?? 0) + Math.sqrt(waited));
  }
  return [...waits].reduce((best, day) => (day[1] > best[1] ? day : best))[0];
}

/** A day in words. */
export function dayText(device: DeviceSimulation, from: number): string {
  const until = from + DAY_MS;
  const inDay = (at: number): boolean => at >= from && at < until;
  const front = within(
    stretchesOf(device, (point) => point.isInFront),
    from,
    until,
  );
  const network = within(
    stretchesOf(device, (point) => point.network),
    from,
    until,
  );
  const charging = within(
    stretchesOf(device, (point) => point.isCharging),
    from,
    until,
  );
  const opened = front.filter(({ value }) => value);
  const gone = network.filter(({ value }) => value === 'none');
  const saves = device.saves.filter(({ savedAt }) => inDay(savedAt));
  const waits = saves.map(({ savedAt, arrivedAt }) => (arrivedAt ?? device.until) - savedAt);
  const long = waits.filter((ms) => ms > LONG_MS).length;
  const runs = device.runs.filter(({ startedAt }) => inDay(startedAt)).length;
  const longest = Math.max(0, ...waits);
  const sentences = [
    `${dayName(from)}: app in front ${counted(opened.length, 'time')}, ${formatSpan(totalMs(opened))} in all`,
    gone.length === 0
      ? 'network all day'
      : `no network ${counted(gone.length, 'time')}, ${formatSpan(totalMs(gone))} in all`,
    `${formatSpan(totalMs(charging.filter(({ value }) => value)))} on the charger`,
    counted(runs, 'wake-up'),
    saves.length === 0
      ? 'no writes'
      : `${counted(saves.length, 'write')}, ${long} of them longer than a minute on their way, the longest ${formatSpan(longest)}`,
  ];
  return `${sentences.join('; ')}.`;
}

function conditionStrips(device: DeviceSimulation, height: number): readonly Strip[] {
  const network = stretchesOf(device, (point) => point.network);
  const low = Math.round(height * 0.6);
  return [
    {
      name: 'network',
      height,
      draw: (x, y, from, until) => {
        const part = within(network, from, until);
        const of = (kind: string): readonly Stretch<unknown>[] =>
          part.filter(({ value }) => value === kind);
        const half = y + height / 2;
        return (
          boxes(bars(of('unmetered'), x, y, height), 'wifi') +
          boxes(bars(of('metered'), x, half, height / 2), 'mobile') +
          boxes(bars(of('roaming'), x, half, height / 2), 'roaming') +
          boxes(bars(of('none'), x, y + height - 3, 3), 'gone')
        );
      },
    },
    flag('charging', low, 'charging', device, (point) => point.isCharging),
    flag('app in front', low, 'front', device, (point) => point.isInFront),
    {
      name: 'wake-ups',
      height,
      draw: (x, y, from, until) => drawRuns(device.runs, x, y, height, from, until),
    },
  ];
}

function flag(
  name: string,
  height: number,
  className: string,
  device: DeviceSimulation,
  holds: (point: DeviceSimulation['timeline'][number]) => boolean,
): Strip {
  const stretches = stretchesOf(device, holds).filter(({ value }) => value);
  return {
    name,
    height,
    draw: (x, y, from, until) =>
      boxes(bars(within(stretches, from, until), x, y, height), className),
  };
}

function bars(
  stretches: readonly Stretch<unknown>[],
  x: Scale,
  y: number,
  height: number,
): readonly Box[] {
  return stretches.map(({ from, until }) => ({
    x: x(from),
    y,
    width: Math.max(1, x(until) - x(from)),
    height,
  }));
}

function drawRuns(
  runs: readonly Run[],
  x: Scale,
  y: number,
  height: number,
  from: number,
  until: number,
): string {
  const inDay = runs.filter(({ startedAt }) => startedAt >= from && startedAt < until);
  const isUrgent = ({ id }: Run): boolean => id.endsWith('.critical') || id.endsWith('.soon');
  const ticks = (list: readonly Run[], top: number, width: number): readonly Box[] =>
    list.map(({ startedAt }) => ({
      x: x(startedAt) - width / 2,
      y: top,
      width,
      height: y + height - top,
    }));
  return (
    boxes(
      ticks(
        inDay.filter((run) => !isUrgent(run)),
        y + height / 2,
        1,
      ),
      'periodic',
    ) + boxes(ticks(inDay.filter(isUrgent), y, 2), 'urgent')
  );
}

/** Each write from its save to its arrival. */
function writes(device: DeviceSimulation): readonly Strip[] {
  return PRIORITIES.map((priority) => ({
    name: priority,
    height: 15,
    draw: (x, y, from, until) => {
      const shown = device.saves
        .filter((save) => save.priority === priority)
        .map(({ savedAt, arrivedAt }) => ({
          from: savedAt,
          until: arrivedAt ?? device.until,
          value: arrivedAt,
        }))
        .filter((save) => save.until >= from && save.from < until);
      return (
        boxes(bars(within(shown, from, until), x, y, 15), `wait ${priority}`) +
        savesAsTicks(shown, x, y, from, priority)
      );
    },
  }));
}

function savesAsTicks(
  saves: readonly Stretch<unknown>[],
  x: Scale,
  y: number,
  from: number,
  priority: string,
): string {
  const ticks = saves.filter((save) => save.from >= from);
  return tag(
    'g',
    { class: priority },
    ...ticks.map((save) =>
      tag(
        'rect',
        { x: x(save.from) - 0.8, y, width: 1.6, height: 15 },
        tag('title', {}, saveText(save, priority)),
      ),
    ),
  );
}

function saveText({ from, until, value }: Stretch<unknown>, priority: string): string {
  const fate = value === null ? 'still waiting' : `on the server after ${formatSpan(until - from)}`;
  return `${priority}, saved at ${clock(from)}, ${fate}`;
}

const GAP = 6;
const DAY_GAP = 14;
const TITLE = 16;

function drawDays(days: readonly number[], width: number, strips: readonly Strip[]): Drawing {
  const area = { left: 76, right: width - 6, top: 4, bottom: 0 };
  const isSeveral = days.length > 1;
  const stripsHeight = strips.reduce((sum, { height }) => sum + height + GAP, 0);
  const step = stripsHeight + (isSeveral ? TITLE + DAY_GAP : 0);
  const bottom = area.top + days.length * step;
  const hours = linear([0, DAY_MS], [area.left, area.right]);
  const blocks = days.map((from, index) => {
    const x: Scale = (at) => hours(at - from);
    let y = area.top + index * step;
    const title = isSeveral ? label(0, y + 11, dayName(from), { class: 'strong' }) : '';
    if (isSeveral) y += TITLE;
    return title + drawStrips(strips, x, y, [from, from + DAY_MS], area.right);
  });
  const ticks = hourTicks(0, DAY_MS, hours);
  const axis = bottomAxis({ ...area, bottom }, ticks, 'time of day on the phone (hours:minutes)');
  return { height: bottom + AXIS_HEIGHT, body: axis + blocks.join('') };
}

function drawStrips(
  strips: readonly Strip[],
  x: Scale,
  top: number,
  [from, until]: readonly [number, number],
  right: number,
): string {
  let y = top;
  return strips
    .map((strip) => {
      const name = label(68, y + strip.height / 2 + 4, strip.name, {
        class: 'strip',
        'text-anchor': 'end',
      });
      const base = line([76, y + strip.height], [right, y + strip.height], 'grid');
      const drawn = name + base + strip.draw(x, y, from, until);
      y += strip.height + GAP;
      return drawn;
    })
    .join('');
}
