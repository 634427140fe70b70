import { PRIORITIES, type SyncPriority } from '../../core/model/priority.ts';

/** How long writes of one priority took from save to server. Milliseconds; null without any. */
export interface DelaySummary {
  readonly saved: number;
  readonly arrived: number;
  readonly p50Ms: number | null;
  readonly p90Ms: number | null;
  readonly p99Ms: number | null;
  readonly worstMs: number | null;
}

export type DelaysByPriority = Readonly<Record<SyncPriority, DelaySummary>>;

/**
 * Bucket edges grow by this factor: a percentile is exact to 2 %, in constant memory however many
 * devices are counted.
 */
const GROWTH = 1.02;
const LOG_GROWTH = Math.log(GROWTH);
const BUCKETS = 1_100; // up to 1.02^1100 ms, about 33 days

/** Counts delays without keeping them. */
export class DelayHistogram {
  readonly #counts = new Uint32Array(BUCKETS);
  #saved = 0;
  #arrived = 0;
  #worstMs = 0;

  noteSaved(): void {
    this.#saved += 1;
  }

  noteArrived(delayMs: number): void {
    const ms = Math.max(0, delayMs);
    const bucket = Math.min(BUCKETS - 1, Math.ceil(Math.log(ms + 1) / LOG_GROWTH));
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#arrived += 1;
    if (ms > this.#worstMs) this.#worstMs = ms;
  }

  summary(): DelaySummary {
    const isEmpty = this.#arrived === 0;
    return {
      saved: this.#saved,
      arrived: this.#arrived,
      p50Ms: this.#percentile(0.5),
      p90Ms: this.#percentile(0.9),
      p99Ms: this.#percentile(0.99),
      worstMs: isEmpty ? null : this.#worstMs,
    };
  }

  /** Upper edges of the buckets that hold anything, with their counts: for a plot of the distribution. */
  distribution(): readonly { readonly upToMs: number; readonly count: number }[] {
    return Array.from(this.#counts, (count, bucket) => ({ upToMs: edgeOf(bucket), count })).filter(
      ({ count }) => count > 0,
    );
  }

  #percentile(share: number): number | null {
    if (this.#arrived === 0) return null;
    const rank = Math.ceil(share * this.#arrived);
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket] as number;
      if (seen >= rank) return Math.min(edgeOf(bucket), this.#worstMs);
    }
    return this.#worstMs;
  }
}

function edgeOf(bucket: number): number {
  return Math.round(GROWTH ** bucket - 1);
}

/** One histogram for each priority. */
export class Delays {
  readonly #histograms = PRIORITIES.map(() => new DelayHistogram());

  /** @param rank 0 is critical, 3 is low */
  of(rank: number): DelayHistogram {
    return this.#histograms[rank] as DelayHistogram;
  }

  summary(): DelaysByPriority {
    return byPriority((rank) => this.of(rank).summary());
  }

  distributions(): Readonly<Record<SyncPriority, ReturnType<DelayHistogram['distribution']>>> {
    return byPriority((rank) => this.of(rank).distribution());
  }
}

function byPriority<T>(valueOf: (rank: number) => T): Readonly<Record<SyncPriority, T>> {
  const [critical, high, normal, low] = [0, 1, 2, 3].map(valueOf) as [T, T, T, T];
  return { critical, high, normal, low };
}
