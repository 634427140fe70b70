import type { SyncPriority } from 'nexus-store';
import type { ArrivedReport, QueuedEntry } from './messages.ts';
import { emptyTally, rankOf, type Tally } from './tally.ts';

interface Request {
  readonly reportIds: readonly string[];
  readonly startedAt: number;
  /** On the clock of this log; never if the runner was killed first. */
  endedAt: number;
}

/** What one drain said it did, in the order it did it. */
export class PushLog {
  readonly #priorityOf: (reportId: string) => SyncPriority;
  readonly #reportIdOf = new Map<string, string>();
  readonly #requestOf = new Map<string, Request>();
  readonly #requests: Request[] = [];
  readonly #waiting: Tally = emptyTally();
  readonly #isWaiting = new Set<string>();
  #clock = 0;
  /** Times that a less urgent report was sent while a more urgent one waited that nobody was sending. */
  overtakings = 0;
  applied = 0;
  /** How many of what the killed runner had claimed were sent again. */
  takenOver = 0;
  /** What a killed runner had claimed: nobody may send it before the lease is over. */
  readonly leased: ReadonlySet<string>;

  constructor(queue: readonly QueuedEntry[], priorityOf: (reportId: string) => SyncPriority) {
    this.#priorityOf = priorityOf;
    for (const { entryId, reportId, state } of queue) {
      this.#reportIdOf.set(entryId, reportId);
      if (state !== 'pending') continue;
      this.#isWaiting.add(entryId);
      this.#waiting[priorityOf(reportId)] += 1;
    }
    this.leased = new Set(
      queue.filter(({ state }) => state === 'claimed').map(({ reportId }) => reportId),
    );
  }

  get requests(): number {
    return this.#requests.length;
  }

  started(entryIds: readonly string[]): void {
    const reportIds = entryIds.map((id) => this.#reportIdOf.get(id) ?? id);
    const request = { reportIds, startedAt: (this.#clock += 1), endedAt: Infinity };
    this.#requests.push(request);
    this.takenOver += reportIds.filter((id) => this.leased.has(id)).length;
    for (const id of entryIds) {
      this.#requestOf.set(id, request);
      if (this.#isWaiting.delete(id)) this.#waiting[this.#priorityOfEntry(id)] -= 1;
    }
    const worst = Math.max(...entryIds.map((id) => rankOf(this.#priorityOfEntry(id))));
    const best = (['critical', 'high', 'normal', 'low'] as const).findIndex(
      (priority) => this.#waiting[priority] > 0,
    );
    if (best !== -1 && worst > best) this.overtakings += 1;
  }

  appliedEntries(entryIds: readonly string[]): string[] {
    this.#clock += 1;
    this.applied += entryIds.length;
    for (const id of entryIds) {
      const request = this.#requestOf.get(id);
      if (request !== undefined) request.endedAt = this.#clock;
    }
    return entryIds.map((id) => this.#reportIdOf.get(id) ?? id);
  }

  /** The reports on their way now. */
  inFlight(): string[] {
    return this.#requests
      .filter(({ endedAt }) => endedAt === Infinity)
      .flatMap(({ reportIds }) => reportIds);
  }

  get requestsInFlight(): number {
    return this.#requests.filter(({ endedAt }) => endedAt === Infinity).length;
  }

  /**
   * Pairs of requests of which the later one brought something less urgent to the server before the
   * earlier one brought something more urgent, although they were not on their way at the same time.
   *
   * @param after the last arrival before this drain began: what came earlier is not its doing
   */
  misarrivals(arrivalOf: ReadonlyMap<string, ArrivedReport>, after: number): number {
    const others = this.#requests.map(({ reportIds }) => this.#spans(reportIds, arrivalOf, after));
    const urgents = this.#requests.map(({ reportIds }) => {
      const free = reportIds.filter((id) => !this.leased.has(id));
      return this.#spans(free, arrivalOf, after);
    });
    let count = 0;
    for (const [i, urgent] of this.#requests.entries()) {
      for (const [j, other] of this.#requests.entries()) {
        if (urgent.startedAt < other.endedAt) continue;
        if (isInverted(urgents[i] ?? [], others[j] ?? [])) count += 1;
      }
    }
    return count;
  }

  /** By priority, when the first and the last of these arrived. */
  #spans(
    reportIds: readonly string[],
    arrivalOf: ReadonlyMap<string, ArrivedReport>,
    after: number,
  ): readonly Span[] {
    const spans = new Map<number, Span>();
    for (const id of reportIds) {
      const arrival = arrivalOf.get(id)?.arrival ?? 0;
      if (arrival <= after) continue;
      const rank = rankOf(this.#priorityOf(id));
      const span = spans.get(rank);
      spans.set(rank, {
        rank,
        first: Math.min(arrival, span?.first ?? Infinity),
        last: Math.max(arrival, span?.last ?? -Infinity),
      });
    }
    return [...spans.values()];
  }

  #priorityOfEntry(entryId: string): SyncPriority {
    return this.#priorityOf(this.#reportIdOf.get(entryId) ?? '');
  }
}

interface Span {
  readonly rank: number;
  readonly first: number;
  readonly last: number;
}

function isInverted(urgent: readonly Span[], other: readonly Span[]): boolean {
  return urgent.some((mine) =>
    other.some((theirs) => theirs.rank > mine.rank && theirs.first < mine.last),
  );
}
