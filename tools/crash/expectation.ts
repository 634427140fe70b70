import { isDeepStrictEqual } from 'node:util';
import { applied, type Entities, type Value, type Write } from './operations.ts';

/**
 * What one device must hold. A write that had not resolved when its process was killed may have happened
 * or not, whole; the next look at the database decides it.
 */
export class Expectation {
  entities: Entities = new Map();
  /** By lane, what was begun and not answered. */
  readonly #open = new Map<number, Write>();
  /** Writes that had not resolved, and turned out to have happened. */
  readonly silent: Write[] = [];
  attempted = 0;

  begin(write: Write): void {
    this.attempted += 1;
    this.#open.set(write.lane, write);
  }

  /** The write that resolved. */
  saved(lane: number): Write {
    const write = this.#open.get(lane) as Write;
    this.#open.delete(lane);
    this.entities = applied(this.entities, write);
    return write;
  }

  refused(lane: number): void {
    this.#open.delete(lane);
  }

  /** Compares with what the database has, and learns what became of open writes. Returns what is wrong. */
  settle(found: ReadonlyMap<string, Value>): string[] {
    for (const write of this.#open.values()) {
      const after = applied(this.entities, write);
      const touched = write.steps.map(
        (step) => `${step.collection}/${step.kind === 'save' ? step.value.id : step.id}`,
      );
      // Lanes have entities of their own: each open write is judged by its own.
      const isDone = touched.every((key) => isDeepStrictEqual(found.get(key), after.get(key)));
      const isSameAnyway = touched.every((key) =>
        isDeepStrictEqual(this.entities.get(key), after.get(key)),
      );
      if (!isDone || isSameAnyway) continue;
      this.entities = after;
      this.silent.push(write);
    }
    this.#open.clear();
    return differences(this.entities, found);
  }
}

/** In words, at most ten. */
export function differences(
  expected: ReadonlyMap<string, Value>,
  found: ReadonlyMap<string, Value>,
): string[] {
  const problems: string[] = [];
  for (const [key, value] of expected) {
    if (!found.has(key)) problems.push(`${key} is lost (${JSON.stringify(value)})`);
    else if (!isDeepStrictEqual(found.get(key), value)) {
      problems.push(`${key} is ${JSON.stringify(found.get(key))}, not ${JSON.stringify(value)}`);
    }
  }
  for (const key of found.keys()) {
    if (!expected.has(key)) problems.push(`${key} was never saved, or was deleted`);
  }
  return problems.slice(0, 10);
}
