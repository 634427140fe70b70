import type { DeviceSimulation, TimelinePoint } from 'nexus-store/testing';

/** A time in which something stayed as it was. */
export interface Stretch<T> {
  readonly from: number;
  readonly until: number;
  readonly value: T;
}

/** The timeline as stretches of one of its facts. */
export function stretchesOf<T>(
  { timeline, until }: Pick<DeviceSimulation, 'timeline' | 'until'>,
  valueOf: (point: TimelinePoint) => T,
): readonly Stretch<T>[] {
  const stretches: Stretch<T>[] = [];
  timeline.forEach((point, index) => {
    const end = timeline[index + 1]?.at ?? until;
    if (end <= point.at) return;
    const last = stretches.at(-1);
    const value = valueOf(point);
    if (last !== undefined && last.value === value)
      stretches[stretches.length - 1] = { ...last, until: end };
    else stretches.push({ from: point.at, until: end, value });
  });
  return stretches;
}

/** The part of each stretch that lies between two instants. */
export function within<T>(
  stretches: readonly Stretch<T>[],
  from: number,
  until: number,
): readonly Stretch<T>[] {
  return stretches
    .filter((stretch) => stretch.until > from && stretch.from < until)
    .map((stretch) => ({
      ...stretch,
      from: Math.max(from, stretch.from),
      until: Math.min(until, stretch.until),
    }));
}

export function totalMs(stretches: readonly Stretch<unknown>[]): number {
  return stretches.reduce((sum, { from, until }) => sum + until - from, 0);
}
