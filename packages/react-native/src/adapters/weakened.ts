import type { Constraints, ScheduleRequest, WeakenedField } from 'nexus-store';

/** Collects what a host gives less of than was asked. */
export class Weakened {
  readonly fields: WeakenedField[] = [];

  /** Notes the difference, if there is one, and returns what the host gives. */
  give<T>(field: string, asked: T, got: T): T {
    if (asked !== got) this.fields.push({ field, asked, got });
    return got;
  }

  /** A field that the host ignores. */
  ignore(field: string, asked: unknown): void {
    if (asked !== undefined && asked !== false)
      this.fields.push({ field, asked, got: asked === true ? false : undefined });
  }

  /** The constraints that a host gives; the service checks the others when a run begins. */
  constraints(asked: Constraints = {}, given: readonly (keyof Constraints)[]): Constraints {
    const got: Record<string, unknown> = {};
    for (const [field, value] of Object.entries(asked)) {
      if (value === undefined || value === false || value === 'not-required') continue;
      if (given.includes(field as keyof Constraints)) got[field] = value;
      else if (field === 'networkType') this.give(`constraints.${field}`, value, 'not-required');
      else this.ignore(`constraints.${field}`, value);
    }
    return got;
  }
}

const MINUTE_MS = 60_000;

/** Whole minutes, at least so many: the unit of both packages. One conversion, here. */
export function wholeMinutes(intervalMs: number, leastMs: number): number {
  return Math.ceil(Math.max(intervalMs, leastMs) / MINUTE_MS);
}

/** What a scheduler without updates keeps of a request. */
export type Known = Readonly<Record<string, ScheduleRequest>>;

/** Reads what was kept beyond the process; what cannot be read is nothing. */
export function readKnown(text: string | null | undefined): Known {
  if (text === null || text === undefined) return {};
  try {
    const known: unknown = JSON.parse(text);
    return typeof known === 'object' && known !== null ? (known as Known) : {};
  } catch {
    return {};
  }
}
