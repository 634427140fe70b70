// Also part of the browser's pages, so nothing of Node.

/** A report as an app would save it: about 330 bytes as JSON. */
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
