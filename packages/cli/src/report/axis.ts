import { label, line } from './svg.ts';

/** From a value to a place. */
export type Scale = (value: number) => number;

export function linear(
  [from, until]: readonly [number, number],
  [start, end]: readonly [number, number],
): Scale {
  return (value) => start + ((value - from) / (until - from)) * (end - start);
}

export interface Area {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

export interface Tick {
  readonly at: number;
  readonly text: string;
}

/** Ticks below a plot, with lines up through it, and what they count. */
export function bottomAxis(area: Area, ticks: readonly Tick[], title: string): string {
  const { left, right, top, bottom } = area;
  const marks = ticks.map(({ at, text }) => {
    const isEdge = text.length * 3 > right - at + 8;
    const anchor = isEdge ? 'end' : 'middle';
    const x = isEdge ? Math.max(at, right) : at;
    return (
      line([at, top], [at, bottom], 'grid') +
      label(x, bottom + 16, text, { class: 'tick', 'text-anchor': anchor })
    );
  });
  const middle = (left + right) / 2;
  return (
    marks.join('') +
    line([left, bottom], [right, bottom], 'axis') +
    label(middle, bottom + 34, title, { class: 'axis-title', 'text-anchor': 'middle' })
  );
}

/** So much room a bottom axis takes. */
export const AXIS_HEIGHT = 42;

/** Whole hours, as many as have room. */
export function hourTicks(from: number, until: number, scale: Scale): readonly Tick[] {
  const hourMs = 3_600_000;
  const room = Math.abs(scale(from + hourMs) - scale(from));
  const step = [0.5, 1, 2, 3, 4, 6, 12, 24, 48].find((hours) => hours * room >= 54) ?? 96;
  const ticks: Tick[] = [];
  const first = Math.ceil(from / (step * hourMs)) * step * hourMs;
  for (let at = first; at <= until; at += step * hourMs)
    ticks.push({ at: scale(at), text: clock(at, at === until && until - from >= 24 * hourMs) });
  return ticks;
}

/** `07:30`; the end of a day is 24:00. */
export function clock(at: number, isEnd = false): string {
  const text = new Date(at).toISOString().slice(11, 16);
  return isEnd && text === '00:00' ? '24:00' : text;
}

/** `Mon 5 Jan`. */
export function dayName(at: number): string {
  return new Intl.DateTimeFormat('en-GB', {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    timeZone: 'UTC',
  })
    .format(at)
    .replace(',', '');
}

/** A round number of at least `value`, for the top of an axis. */
export function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return (
    ([1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10].find((step) => step * power >= value) ?? 10) * power
  );
}
