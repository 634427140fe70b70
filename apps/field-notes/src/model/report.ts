import type { SyncPriority } from 'nexus-store';

/** A field report that is on the server already: a bird that met an aeroplane. Read here, never written. */
export interface Report {
  readonly id: string;
  readonly 'Airport Name': string;
  readonly 'Aircraft Make Model': string;
  readonly 'Effect Amount of damage': string;
  /** `1990-01-08` */
  readonly 'Flight Date': string;
  readonly 'Aircraft Airline Operator': string;
  readonly 'Origin State': string;
  readonly 'Phase of flight': string;
  readonly 'Wildlife Size': string;
  readonly 'Wildlife Species': string;
  readonly 'Time of day': string;
  readonly 'Cost Total $': string;
  readonly 'Speed IAS in knots': string;
}

/** What the damage is called, and how urgent that makes it. */
export interface Damage {
  readonly label: string;
  readonly priority: SyncPriority;
  /** As the reports say it; B and C are the military's classes of accidents that cost the most. */
  readonly said: readonly string[];
}

export const DAMAGES: readonly Damage[] = [
  { label: 'Substantial damage', priority: 'critical', said: ['Substantial', 'B', 'C'] },
  { label: 'Some damage', priority: 'high', said: ['Medium', 'Minor'] },
  { label: 'No damage', priority: 'low', said: ['None'] },
];

const NO_DAMAGE: Damage = { label: 'No damage', priority: 'low', said: [] };

export function damageOf(report: Report): Damage {
  const said = report['Effect Amount of damage'];
  return DAMAGES.find((damage) => damage.said.includes(said)) ?? NO_DAMAGE;
}

/** `BARKSDALE AIR FORCE BASE ARPT` as people would write it. */
export function airportOf(report: Report): string {
  return report['Airport Name']
    .toLowerCase()
    .replace(/\barpt\b/g, 'airport')
    .replace(/\bintl\b/g, 'international')
    .replace(/\b[a-z]/g, (letter) => letter.toUpperCase());
}

export function matchesReport(report: Report, search: string): boolean {
  const text = [
    report.id,
    airportOf(report),
    report['Airport Name'],
    report['Origin State'],
    report['Wildlife Species'],
    report['Aircraft Make Model'],
  ]
    .join('\n')
    .toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
