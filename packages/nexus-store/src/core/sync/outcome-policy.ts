import type { Outcome, SyncFailure } from '../model/outcome.ts';
import { storableText } from '../model/value-codec.ts';
import { backoffDelayMs } from '../queue/backoff.ts';
import { detailOf, laneKey, type EntryRecord } from '../queue/records.ts';
import type { Settlement } from '../queue/settle.ts';
import { moreSuspicion, suspicionOf } from '../queue/suspicion.ts';
import { MAX_RETRY_AFTER_MS, type Block, type EndpointFailure } from './gate.ts';
import type { Evidence } from './gate-watch.ts';
import {
  asNoWay,
  isAmbiguous,
  isNoWay,
  isOfflineFailure,
  isServerError,
  isSweeping,
  isTooLarge,
  isWorking,
  type Applied,
  type Rejected,
  type Retry,
} from './outcome-kinds.ts';
import { RequestLimit } from './request-limit.ts';
import type { EngineOptions } from './sync-options.ts';

/** An entry that the server refused because its row is not the base, on the way to a decision. */
export interface ConflictCase {
  readonly entry: EntryRecord;
  readonly outcome: Extract<Outcome, { kind: 'conflict' }>;
}

/** What the outcomes of one request mean for its entries and for what follows. */
export interface Judgement {
  readonly settlements: Map<number, Settlement>;
  readonly conflicts: ConflictCase[];
  endpoint: EndpointFailure | null;
  /** The server did its work on at least one entry. */
  works: boolean;
  /** Entries whose earlier punishment was the endpoint's fault: they get their attempt back. */
  refunds: readonly Refund[];
  /** It failed as if there were no way to the server, and the entry is the likely cause. */
  isOwnFault: boolean;
  /** The same, and what failed before was the entry's fault as well: the endpoint serves pulls. */
  acquits: boolean;
  /** It failed so, and nothing shows whether it is the entry or the way: a pull may. */
  isOpenQuestion: boolean;
}

/** What is known of the endpoint as a request comes back that carried one entry or transaction. */
export interface Circumstances {
  /** It was sent to see whether the endpoint works, or which entry it is that fails. */
  readonly isProbe: boolean;
  /** Something failed since the last push that worked. */
  readonly isDoubtful: boolean;
  /** What shows that the way works all the same. */
  readonly evidence: Evidence;
}

export interface Refund {
  readonly seq: number;
  /** Its time to live as it was before it was punished. */
  readonly expiresAt: number | null;
}

/** So many lanes refused in a row, and nothing accepted between: the fault is the server's. */
const STREAK = 3;

/**
 * An attempt, and what of it a failure costs that met no server, by what speaks for the way. After several pushes
 * of others all of it. After a single one half: on a line that loses any share of requests by chance, that happens
 * twenty times before it is taken to one of a million at most. After pulls alone a sixth, and never the first one: a
 * server under maintenance may serve reads alone, for as long as it likes.
 */
const ATTEMPT = 6;
const BLAME: Readonly<Record<Evidence, number>> = { others: ATTEMPT, one: 3, pulls: 1, none: 0 };

interface Streak {
  readonly units: Set<string>;
  /** One for each time that an entry was punished. */
  refunds: readonly Refund[];
}

/**
 * Refusals in a row, across requests and runs: entries that fail one by one, each in its own backoff, are
 * as telling as those that fail together.
 */
export class RefusalStreaks {
  readonly failed: Streak = { units: new Set(), refunds: [] };
  /** What met no server while it was sent alone. */
  readonly unmet: Set<string> = new Set();
  readonly refused: Streak = { units: new Set(), refunds: [] };

  /** The server accepted something, or serves somebody else now. */
  forget(): void {
    this.unmet.clear();
    for (const streak of [this.failed, this.refused]) {
      streak.units.clear();
      streak.refunds = [];
    }
  }
}

/**
 * Turns outcomes into what is done with entries, and learns from their order: how many entries a
 * request may carry, and whether refusals in a row are the entries' fault or the server's.
 */
export class OutcomePolicy {
  readonly #options: EngineOptions;
  readonly #random: () => number;
  readonly #streaks: RefusalStreaks;
  readonly #limit: RequestLimit;

  constructor(
    options: EngineOptions,
    maxBatch: number,
    streaks: RefusalStreaks,
    random: () => number,
  ) {
    this.#options = options;
    this.#streaks = streaks;
    this.#random = random;
    this.#limit = new RequestLimit(options, maxBatch);
  }

  /** How many entries the next request may carry. */
  get batchLimit(): number {
    return this.#limit.entries;
  }

  /** How many bytes the next request may carry, as `entryBytes` counts them, if it has several entries. */
  get byteLimit(): number {
    return this.#limit.bytes;
  }

  /** @param circumstances none: it was we who cut it off */
  judge(
    batch: readonly EntryRecord[],
    given: readonly Outcome[],
    now: number,
    circumstances?: Circumstances,
  ): Judgement {
    const asTheWay = given.map(asNoWay);
    const works = given.some(isWorking);
    // What may be said to anybody is believed as long as the way to the server works.
    const outcomes = circumstances?.isDoubtful === true && !works ? asTheWay : given;
    const judgement: Judgement = {
      settlements: new Map(),
      conflicts: [],
      endpoint: null,
      works,
      refunds: [],
      isOwnFault: false,
      acquits: false,
      isOpenQuestion: false,
    };
    const units = new Set(batch.map(unitOf)).size;
    if (units === 1 && circumstances !== undefined) {
      if (this.#judgeSuspect(batch, asTheWay, now, circumstances, judgement)) return judgement;
    }
    if (outcomes.some(({ kind }) => kind === 'applied')) this.#limit.grow(batch);
    if (works) this.#streaks.forget();
    if (units > 1 && this.#judgeWhole(batch, outcomes, units, judgement)) return judgement;
    if (units === 1 && outcomes.every(isTooLarge)) this.#limit.explain(batch);
    const troubled = troubledGroups(batch, outcomes);
    const delays = new Map<string, number>();
    batch.forEach((entry, index) => {
      const outcome = outcomes[index] as Outcome;
      const isMate = outcome.kind === 'retry' && troubled.has(groupOf(entry) ?? '');
      if (isMate) judgement.settlements.set(entry.seq, release(0, outcome.failure));
      else this.#judgeOne(entry, outcome, now, judgement, delays);
    });
    const { failed, refused } = this.#streaks;
    for (const streak of [failed, refused]) {
      const isOver = streak.units.size >= STREAK && streak.refunds.length > 0;
      if (isOver) this.#refund(streak, judgement);
    }
    return judgement;
  }

  /** A request that was refused as a whole says little of its entries. True if that is what happened. */
  #judgeWhole(
    batch: readonly EntryRecord[],
    outcomes: readonly Outcome[],
    units: number,
    judgement: Judgement,
  ): boolean {
    const first = outcomes[0] as Outcome;
    const releaseAll = (ambiguous: 0 | 1, failure: SyncFailure): true => {
      for (const entry of batch) judgement.settlements.set(entry.seq, release(ambiguous, failure));
      return true;
    };
    if (isTooLarge(first) && outcomes.every(isTooLarge)) {
      this.#limit.shrink(batch, units);
      return releaseAll(0, first.failure);
    }
    if (isServerError(first) && outcomes.every(isServerError)) {
      // One entry may have broken it for all: they go one by one until it is found.
      this.#limit.isolate();
      return releaseAll(outcomes.some(isAmbiguous) ? 1 : 0, first.failure);
    }
    if (isSweeping(first) && units >= STREAK && outcomes.every(isSweeping)) {
      const { failure } = asNoWay(first) as Rejected | Retry;
      judgement.endpoint = endpointFailure(failure);
      this.#refund(this.#streaks.refused, judgement);
      // One that is refused beside them is one of them.
      for (const entry of batch) this.#streaks.refused.units.add(unitOf(entry));
      return releaseAll(0, failure);
    }
    if (isSweeping(first) && outcomes.every((outcome) => asNoWay(outcome) !== outcome)) {
      // Said of all, and perhaps for the sake of one.
      this.#limit.isolate();
      return releaseAll(0, first.failure);
    }
    return false;
  }

  /**
   * One that is sent alone and meets no server, while others do: it is to blame itself. Not if the server asked
   * to wait, for whom it asks that is a matter of chance. True if that is what happened.
   */
  #judgeSuspect(
    batch: readonly EntryRecord[],
    outcomes: readonly Outcome[],
    now: number,
    { isProbe, evidence }: Circumstances,
    judgement: Judgement,
  ): boolean {
    const [first] = batch;
    if (first === undefined) return false;
    if (!outcomes.every(isNoWay)) return false;
    const known = suspicionOf(first);
    if (known === undefined && !isProbe) return false;
    this.#streaks.unmet.add(unitOf(first));
    // If several fail while pulls work, the server is more likely to take no writes at all.
    const isForAll = evidence === 'pulls' && this.#streaks.unmet.size >= STREAK;
    // Only what has worked since the last failure speaks against it: else the way may be gone for all.
    const cost = known === undefined || isForAll ? 0 : BLAME[evidence];
    const isOwnFault = cost > 0 || known?.isProven === true;
    judgement.isOwnFault = isOwnFault;
    judgement.acquits = cost > 0;
    judgement.isOpenQuestion = known !== undefined && !isOwnFault;
    const waitMs = isOwnFault ? this.#suspectWaitMs(batch) : 0;
    batch.forEach((entry, index) => {
      const { failure, ambiguous } = outcomes[index] as Retry;
      const blame = (suspicionOf(entry)?.blame ?? 0) + cost;
      const mayPay = cost > 0 && (evidence !== 'pulls' || entry.attempts > 0);
      const isGuilty = mayPay && blame >= ATTEMPT;
      const rest = isGuilty ? blame % ATTEMPT : blame;
      const suspicion = moreSuspicion(entry, rest, cost === ATTEMPT);
      if (!isOwnFault) judgeEndpoint(entry, outcomes[index] as Retry, judgement);
      const isLast = isGuilty && entry.attempts + 1 >= this.#options.maxAttempts;
      judgement.settlements.set(
        entry.seq,
        isLast
          ? bury(failure, ambiguous ? 1 : 0)
          : {
              ...release(ambiguous ? 1 : 0, failure),
              notBefore: isOwnFault ? now + waitMs : null,
              consumesAttempt: isGuilty,
              suspicion,
            },
      );
    });
    return true;
  }

  /**
   * Grows with what speaks against it, and once that is proven with every failure: nobody else's requests end the
   * wait. Failures while the way was gone for all make it no longer.
   */
  #suspectWaitMs(batch: readonly EntryRecord[]): number {
    const count = (entry: EntryRecord): number => {
      const { isProven = false, failures = 0, blame = 0 } = suspicionOf(entry) ?? {};
      return isProven ? failures : entry.attempts * ATTEMPT + blame;
    };
    const most = Math.max(0, ...batch.map(count));
    return backoffDelayMs(this.#options.backoff, most, this.#random);
  }

  #judgeOne(
    entry: EntryRecord,
    outcome: Outcome,
    now: number,
    judgement: Judgement,
    delays: Map<string, number>,
  ): void {
    const { settlements } = judgement;
    switch (outcome.kind) {
      case 'applied':
        settlements.set(entry.seq, completion(outcome, now));
        return;
      case 'conflict':
        judgement.conflicts.push({ entry, outcome });
        return;
      case 'unauthorised':
        // As if it had not been sent: nobody looked at it.
        settlements.set(entry.seq, UNTOUCHED);
        judgement.endpoint ??= endpointFailure(outcome.failure, 'unauthorised');
        return;
      case 'too-large':
      case 'rejected':
        settlements.set(entry.seq, bury(outcome.failure, 0));
        if (isSweeping(outcome))
          this.#count(this.#streaks.refused, entry, outcome.failure, judgement);
        return;
      case 'retry':
        if (outcome.scope === 'endpoint') judgeEndpoint(entry, outcome, judgement);
        else this.#judgeRetry(entry, outcome, now, judgement, delays);
    }
  }

  #judgeRetry(
    entry: EntryRecord,
    outcome: Retry,
    now: number,
    judgement: Judgement,
    delays: Map<string, number>,
  ): void {
    const { failure } = outcome;
    const ambiguous = outcome.ambiguous ? 1 : 0;
    if (entry.attempts + 1 >= this.#options.maxAttempts) {
      judgement.settlements.set(entry.seq, bury(failure, ambiguous));
    } else {
      // The entries of a transaction go together, so they wait together.
      const unit = unitOf(entry);
      const delayMs =
        delays.get(unit) ?? backoffDelayMs(this.#options.backoff, entry.attempts, this.#random);
      delays.set(unit, delayMs);
      const asked = Math.min(outcome.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS);
      judgement.settlements.set(entry.seq, {
        kind: 'release',
        ambiguous,
        notBefore: now + Math.max(delayMs, asked),
        consumesAttempt: true,
        failure,
      });
    }
    if (isServerError(outcome)) this.#count(this.#streaks.failed, entry, failure, judgement);
  }

  /** One more refusal in a row, unless the same answer shows that the server works. */
  #count(streak: Streak, entry: EntryRecord, failure: SyncFailure, judgement: Judgement): void {
    if (judgement.works) return;
    streak.units.add(unitOf(entry));
    const refund = { seq: entry.seq, expiresAt: entry.expiresAt };
    // Somebody may have retried it since, and so given it another time to live.
    const known = streak.refunds.map((other) => (other.seq === refund.seq ? refund : other));
    streak.refunds = [...known, refund];
    if (streak.units.size >= STREAK) judgement.endpoint ??= endpointFailure(failure);
  }

  /** They were refused for the endpoint's sake: what is not yet buried never is. */
  #refund(streak: Streak, judgement: Judgement): void {
    const { settlements } = judgement;
    for (const refund of streak.refunds) {
      const settlement = settlements.get(refund.seq);
      if (settlement?.kind === 'bury')
        settlements.set(refund.seq, release(settlement.ambiguous ?? 0, settlement.failure));
      else judgement.refunds = [...judgement.refunds, refund];
    }
    streak.units.clear();
    streak.refunds = [];
  }
}

/** What the outcome of a single request says of the endpoint; null: nothing against it. */
export function endpointOf(outcome: Outcome): EndpointFailure | null {
  if (outcome.kind === 'unauthorised') return endpointFailure(outcome.failure, 'unauthorised');
  if (outcome.kind !== 'retry' || outcome.scope !== 'endpoint' || outcome.withheld === true)
    return null;
  const block = outcome.upgradeRequired === true ? 'upgrade-required' : null;
  return { ...endpointFailure(outcome.failure, block), retryAfterMs: outcome.retryAfterMs };
}

function judgeEndpoint(entry: EntryRecord, outcome: Retry, judgement: Judgement): void {
  const { failure, retryAfterMs } = outcome;
  const suspicion = suspicionOf(entry);
  judgement.settlements.set(
    entry.seq,
    outcome.withheld === true && !outcome.ambiguous
      ? UNTOUCHED
      : { ...release(outcome.ambiguous ? 1 : 0, failure), suspicion },
  );
  if (outcome.withheld === true) return;
  const block = outcome.upgradeRequired === true ? 'upgrade-required' : null;
  const known = judgement.endpoint ?? endpointFailure(failure, block);
  const asked = Math.max(retryAfterMs ?? -1, known.retryAfterMs ?? -1);
  judgement.endpoint = { ...known, retryAfterMs: asked < 0 ? undefined : asked };
}

function endpointFailure(failure: SyncFailure, block: Block | null = null): EndpointFailure {
  return { failure, retryAfterMs: undefined, block, isOffline: isOfflineFailure(failure) };
}

const UNTOUCHED: Settlement = {
  kind: 'release',
  ambiguous: null,
  notBefore: null,
  consumesAttempt: false,
};

function release(ambiguous: 0 | 1, failure: SyncFailure): Extract<Settlement, { kind: 'release' }> {
  return { kind: 'release', ambiguous, notBefore: null, consumesAttempt: false, failure };
}

function bury(failure: SyncFailure, ambiguous: 0 | 1): Settlement {
  return { kind: 'bury', failure, consumesAttempt: true, ambiguous };
}

function completion(outcome: Applied, at: number): Settlement {
  return { kind: 'complete', version: outcome.version, value: storableText(outcome.value), at };
}

function groupOf(entry: EntryRecord): string | undefined {
  return entry.detail === null ? undefined : detailOf(entry).group;
}

/** What can only be sent together: a transaction, or the entry by its lane. */
function unitOf(entry: EntryRecord): string {
  const group = groupOf(entry);
  if (group !== undefined) return `group ${group}`;
  return entry.operation === 'item'
    ? `item ${entry.seq}`
    : laneKey(entry.partition, entry.collection, entry.entity);
}

/** Transactions in which one entry met a conflict or a refusal: the others failed for its sake. */
function troubledGroups(batch: readonly EntryRecord[], outcomes: readonly Outcome[]): Set<string> {
  const troubled = new Set<string>();
  batch.forEach((entry, index) => {
    const { kind } = outcomes[index] as Outcome;
    if (kind !== 'conflict' && kind !== 'rejected') return;
    const group = groupOf(entry);
    if (group !== undefined) troubled.add(group);
  });
  return troubled;
}
