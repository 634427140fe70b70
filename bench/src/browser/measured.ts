// What cases and their pages say to each other. Imported by both, so nothing of Node or of a browser.

/** A report as an app would save it: about 330 bytes as JSON, as in `support/reports.ts`. */
export interface Report {
  readonly id: string;
  readonly at: string;
  readonly site: string;
  readonly inspector: string;
  readonly finding: string;
  readonly isOpen: boolean;
  readonly severity: number;
  readonly position: { readonly latitude: number; readonly longitude: number };
  readonly tags: readonly string[];
  readonly remarks: string;
}

const REMARKS =
  'Crack along the second joint of the north wall, about 40 cm, wider than at the last visit.';

/** New reports with random ids, the same work for whoever stores them. */
export function makeReports(count: number): Report[] {
  return Array.from({ length: count }, (_, index) => ({
    id: crypto.randomUUID(),
    at: '2026-11-03T08:15:00.000Z',
    site: `site-${index % 97}`,
    inspector: 'M. Okafor',
    finding: 'crack',
    isOpen: true,
    severity: index % 5,
    position: { latitude: 52.5 + (index % 1000) / 1e4, longitude: 13.4 },
    tags: ['wall', 'north'],
    remarks: REMARKS,
  }));
}

export type Durability = 'strict' | 'relaxed';

/** Writes per second. */
export interface Speed {
  readonly perSecond: number;
}

export function speed(count: number, elapsedMs: number): Speed {
  return { perSecond: (count * 1000) / elapsedMs };
}

/** A fill this large keeps the browser's database busy afterwards, and every fsync waits for that. */
const LARGE_FILL = 50_000;
const SETTLING_MS = 10_000;

/** Waits until a database into which so many were just put has come to rest, about. */
export async function settled(filled: number): Promise<void> {
  if (filled < LARGE_FILL) return;
  await new Promise((resolve) => {
    setTimeout(resolve, SETTLING_MS);
  });
}

export function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;
}
