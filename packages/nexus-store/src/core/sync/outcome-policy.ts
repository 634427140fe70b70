import type { Outcome, SyncFailure } from '../model/outcome.ts';
import { encodeValue } from '../model/value-codec.ts';
import { backoffDelayMs } from '../queue/backoff.ts';
import { detailOf, laneKey, type EntryRecord } from '../queue/records.ts';
import type { Settlement } from '../queue/settle.ts';
import type { EngineOptions } from './sync-options.ts';

/** A failure of the server or of the way to it, as opposed to one of an entry. */
export interface EndpointFailure {
  readonly failure: SyncFailure;
  readonly retryAfterMs: number | undefined;
  readonly block: 'upgrade-required' | 'unauthorised' | null;
  /** The way to the server failed, rather than the server asking to wait. */
  readonly isOffline: boolean;
}

/** What the outcomes of one request mean for its entries and for what follows. */
export interface Verdict {
  readonly settlements: Map<number, Settlement>;
  readonly conflicts: {
    readonly entry: EntryRecord;
    readonly outcome: Extract<Outcome, { kind: 'conflict' }>;
  }[];
  endpoint: EndpointFailure | null;
  /** Entries whose earlier punishment was the endpoint's fault: they get their attempt back. */
  refunds: readonly number[];
}

/** So many lanes refused in a row, and nothing accepted between: the fault is the server's. */
const STREAK = 3;

interface Streak {
  readonly lanes: Set<string>;
  readonly seqs: number[];
}

/**
 * Turns outcomes into what is done with entries, and learns from their order: how many entries a
 * request may carry, and whether refusals in a row are the entries' fault or the server's.
 */
export class OutcomePolicy {
  readonly #options: EngineOptions;
  readonly #random: () => number;
  readonly #failed: Streak = { lanes: new Set(), seqs: [] };
  readonly #forbidden: Streak = { lanes: new Set(), seqs: [] };
  #cap: number;
  #limit: number;

  constructor(options: EngineOptions, maxBatch: number, random: () => number) {
    this.#options = options;
    this.#random = random;
    this.#cap = Math.max(1, Math.min(options.batchSize, maxBatch));
    this.#limit = this.#cap;
  }

  /** How many entries the next request may carry. */
  get batchLimit(): number {
    return this.#limit;
  }

  judge(batch: readonly EntryRecord[], outcomes: readonly Outcome[], now: number): Verdict {
    const verdict: Verdict = { settlements: new Map(), conflicts: [], endpoint: null, refunds: [] };
    const units = unitCount(batch);
    if (outcomes.some(({ kind }) => kind === 'applied')) this.#succeeded();
    if (units > 1 && this.#judgeWhole(batch, outcomes, units, verdict)) return verdict;
    const troubled = troubledGroups(batch, outcomes);
    batch.forEach((entry, index) => {
      const outcome = outcomes[index] as Outcome;
      const isMate = outcome.kind === 'retry' && troubled.has(detailOf(entry).group ?? '');
      if (isMate) verdict.settlements.set(entry.seq, release(0, outcome.failure));
      else this.#judgeOne(entry, outcome, now, verdict);
    });
    return verdict;
  }

  #succeeded(): void {
    this.#limit = Math.min(this.#cap, this.#limit * 2);
    for (const streak of [this.#failed, this.#forbidden]) {
      streak.lanes.clear();
      streak.seqs.length = 0;
    }
  }

  /** A request that was refused as a whole says little of its entries. True if that is what happened. */
  #judgeWhole(
    batch: readonly EntryRecord[],
    outcomes: readonly Outcome[],
    units: number,
    verdict: Verdict,
  ): boolean {
    const first = outcomes[0] as Outcome;
    const releaseAll = (ambiguous: 0 | 1, failure: SyncFailure): true => {
      for (const entry of batch) verdict.settlements.set(entry.seq, release(ambiguous, failure));
      return true;
    };
    if (first.kind === 'too-large' && outcomes.every(({ kind }) => kind === 'too-large')) {
      this.#cap = Math.max(1, Math.floor(units / 2));
      this.#limit = this.#cap;
      return releaseAll(0, first.failure);
    }
    if (isServerError(first) && outcomes.every(isServerError)) {
      // One entry may have broken it for all: they go one by one until it is found.
      this.#limit = 1;
      return releaseAll(1, first.failure);
    }
    if (isForbidden(first) && units >= STREAK && outcomes.every(isForbidden)) {
      verdict.endpoint = {
        failure: first.failure,
        retryAfterMs: undefined,
        block: null,
        isOffline: false,
      };
      return releaseAll(0, first.failure);
    }
    return false;
  }

  #judgeOne(entry: EntryRecord, outcome: Outcome, now: number, verdict: Verdict): void {
    const { settlements } = verdict;
    switch (outcome.kind) {
      case 'applied':
        settlements.set(entry.seq, {
          kind: 'complete',
          version: outcome.version,
          value:
            outcome.value === undefined
              ? undefined
              : outcome.value === null
                ? null
                : encodeValue(outcome.value),
          at: now,
        });
        return;
      case 'conflict':
        verdict.conflicts.push({ entry, outcome });
        return;
      case 'unauthorised':
        settlements.set(entry.seq, release(0, outcome.failure));
        verdict.endpoint ??= {
          failure: outcome.failure,
          retryAfterMs: undefined,
          block: 'unauthorised',
          isOffline: false,
        };
        return;
      case 'too-large':
      case 'rejected':
        settlements.set(entry.seq, {
          kind: 'bury',
          failure: outcome.failure,
          consumesAttempt: true,
        });
        if (isForbidden(outcome)) this.#count(this.#forbidden, entry, outcome.failure, verdict);
        return;
      case 'retry':
        if (outcome.scope === 'endpoint') this.#judgeEndpoint(entry, outcome, verdict);
        else this.#judgeRetry(entry, outcome, now, verdict);
    }
  }

  #judgeEndpoint(
    entry: EntryRecord,
    outcome: Extract<Outcome, { kind: 'retry' }>,
    verdict: Verdict,
  ): void {
    verdict.settlements.set(entry.seq, release(outcome.ambiguous ? 1 : 0, outcome.failure));
    verdict.endpoint ??= {
      failure: outcome.failure,
      retryAfterMs: outcome.retryAfterMs,
      block: outcome.upgradeRequired === true ? 'upgrade-required' : null,
      isOffline: outcome.failure.status === undefined,
    };
  }

  #judgeRetry(
    entry: EntryRecord,
    outcome: Extract<Outcome, { kind: 'retry' }>,
    now: number,
    verdict: Verdict,
  ): void {
    const { failure } = outcome;
    if (entry.attempts + 1 >= this.#options.maxAttempts) {
      verdict.settlements.set(entry.seq, { kind: 'bury', failure, consumesAttempt: true });
    } else {
      const delayMs = backoffDelayMs(this.#options.backoff, entry.attempts, this.#random);
      verdict.settlements.set(entry.seq, {
        kind: 'release',
        ambiguous: outcome.ambiguous ? 1 : 0,
        notBefore: now + Math.max(delayMs, outcome.retryAfterMs ?? 0),
        consumesAttempt: true,
        failure,
      });
    }
    if (isServerError(outcome)) this.#count(this.#failed, entry, failure, verdict);
  }

  #count(streak: Streak, entry: EntryRecord, failure: SyncFailure, verdict: Verdict): void {
    streak.lanes.add(
      entry.operation === 'item'
        ? String(entry.seq)
        : laneKey(entry.partition, entry.collection, entry.entity),
    );
    streak.seqs.push(entry.seq);
    if (streak.lanes.size < STREAK) return;
    verdict.endpoint ??= { failure, retryAfterMs: undefined, block: null, isOffline: false };
    verdict.refunds = [...verdict.refunds, ...streak.seqs];
    streak.lanes.clear();
    streak.seqs.length = 0;
  }
}

function release(ambiguous: 0 | 1, failure: SyncFailure): Settlement {
  return { kind: 'release', ambiguous, notBefore: null, consumesAttempt: false, failure };
}

function isServerError(outcome: Outcome): outcome is Extract<Outcome, { kind: 'retry' }> {
  if (outcome.kind !== 'retry' || outcome.scope !== 'entry') return false;
  return outcome.failure.status === 500 || outcome.failure.status === 507;
}

function isForbidden(outcome: Outcome): outcome is Extract<Outcome, { kind: 'rejected' }> {
  return outcome.kind === 'rejected' && outcome.failure.status === 403;
}

/** How many things that can be sent apart: a transaction counts as one. */
function unitCount(batch: readonly EntryRecord[]): number {
  const groups = new Set<string>();
  let singles = 0;
  for (const entry of batch) {
    const group = entry.detail === null ? undefined : detailOf(entry).group;
    if (group === undefined) singles += 1;
    else groups.add(group);
  }
  return singles + groups.size;
}

/** Transactions in which one entry met a conflict or a refusal: the others failed for its sake. */
function troubledGroups(batch: readonly EntryRecord[], outcomes: readonly Outcome[]): Set<string> {
  const troubled = new Set<string>();
  batch.forEach((entry, index) => {
    const { kind } = outcomes[index] as Outcome;
    if (entry.detail === null || (kind !== 'conflict' && kind !== 'rejected')) return;
    const { group } = detailOf(entry);
    if (group !== undefined) troubled.add(group);
  });
  return troubled;
}
