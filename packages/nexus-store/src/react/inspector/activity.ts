import type { SyncEvent } from '../../core/model/events.ts';

/** One line of the activity list: an event, or several alike in a row. */
export interface Activity {
  /** That of the first of them: the line stays the same line as more come. */
  readonly id: number;
  /** When the last of them happened. Epoch milliseconds. */
  readonly at: number;
  readonly event: SyncEvent;
  readonly times: number;
}

/** What happened to entries within one second. */
export interface Pulse {
  readonly second: number;
  applied: number;
  retried: number;
  buried: number;
}

const KEPT = 200;
export const PULSES = 60;

/** Remembers what happened last, and counts outcomes by the second; bounded, whatever happens. */
export class ActivityLog {
  readonly #lines: Activity[] = [];
  readonly #pulses = new Map<number, Pulse>();
  #count = 0;

  add(event: SyncEvent, at: number): void {
    this.#count += 1;
    const last = this.#lines.at(-1);
    if (last !== undefined && isAlike(last.event, event)) {
      this.#lines[this.#lines.length - 1] = { id: last.id, at, event, times: last.times + 1 };
    } else {
      this.#lines.push({ id: this.#count, at, event, times: 1 });
      if (this.#lines.length > 2 * KEPT) this.#lines.splice(0, this.#lines.length - KEPT);
    }
    this.#countOutcome(event, Math.floor(at / 1000));
  }

  /** The newest first. */
  newest(limit: number): readonly Activity[] {
    return this.#lines.slice(-limit).toReversed();
  }

  /** The last minute, second by second, oldest first. */
  pulses(now: number): readonly Pulse[] {
    const end = Math.floor(now / 1000);
    return Array.from({ length: PULSES }, (_, index) => {
      const second = end - PULSES + 1 + index;
      return this.#pulses.get(second) ?? { second, applied: 0, retried: 0, buried: 0 };
    });
  }

  #countOutcome(event: SyncEvent, second: number): void {
    const kind = OUTCOMES[event.type];
    if (kind === undefined) return;
    const pulse = this.#pulses.get(second) ?? { second, applied: 0, retried: 0, buried: 0 };
    pulse[kind] += 1;
    this.#pulses.set(second, pulse);
    if (this.#pulses.size > 2 * PULSES) {
      for (const old of this.#pulses.keys()) if (old <= second - PULSES) this.#pulses.delete(old);
    }
  }
}

const OUTCOMES: Partial<Record<SyncEvent['type'], 'applied' | 'retried' | 'buried'>> = {
  'entry-applied': 'applied',
  'entry-released': 'retried',
  'entry-conflicted': 'retried',
  'entry-buried': 'buried',
};

/** The same happened to another entity of the same collection. */
function isAlike(a: SyncEvent, b: SyncEvent): boolean {
  if (a.type !== b.type) return false;
  if (a.type === 'push-started') return true;
  return 'collection' in a && 'collection' in b && a.collection === b.collection;
}
