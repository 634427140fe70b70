export function median(numbers: readonly number[]): number {
  return quantile(numbers, 0.5);
}

/** Between neighbours it interpolates, so that the median of an even number is their middle. */
export function quantile(numbers: readonly number[], q: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

/** The greatest divided by the smallest: 1 is perfectly quiet. */
export function spread(numbers: readonly number[]): number {
  return Math.max(...numbers) / Math.min(...numbers);
}
