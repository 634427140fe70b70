import { entryIdOf, nameOf } from '../queue/entry-view.ts';
import type { Claim } from '../queue/claim.ts';
import { detailOf, rowKey, type EntryRecord } from '../queue/records.ts';
import { settleClaim, type Settlement } from '../queue/settle.ts';
import { fadeSuspicions, isSuspect } from '../queue/suspicion.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import { noteWait } from '../queue/waits.ts';
import { isNexusError } from '../model/errors.ts';
import { decideConflict, type Decided } from './conflict-decisions.ts';
import { isProbing, type GateLesson } from './gate.ts';
import type { GateWatch } from './gate-watch.ts';
import { migrateEntries } from './migrate-entries.ts';
import { failureWith } from './outcome-check.ts';
import type { OutcomePolicy, Judgement } from './outcome-policy.ts';
import { refundEntries } from './refund.ts';
import type { RunWindow, SendTimes } from './run-window.ts';
import { sendBatch, type Sent } from './send-batch.ts';
import { pullsAnything, type Principal, type RunTotals, type SyncContext } from './sync-context.ts';
import { noteSynced } from './synced-at.ts';

/** What a conflict handler must leave of the claim's time, to store what it decided. */
const SETTLE_MARGIN_MS = 5_000;

/** What deliveries of one drain share. */
export interface DeliverySetting {
  readonly context: SyncContext;
  readonly principal: Principal;
  readonly window: RunWindow;
  readonly policy: OutcomePolicy;
  readonly gates: GateWatch;
  readonly sendTimes: SendTimes;
  readonly totals: RunTotals;
  /** Pulls a collection. False if the server could not be asked. */
  readonly pull: (collection: string) => Promise<boolean>;
}

/** How a delivery ended. `offline`, `blocked`: nothing more can be sent for now. */
export type DeliveryEnd = 'settled' | 'offline' | 'blocked' | { readonly failure: unknown };

const UNTOUCHED: Extract<Settlement, { kind: 'release' }> = {
  kind: 'release',
  ambiguous: null,
  notBefore: null,
  consumesAttempt: false,
};

/** The way of one claim: migrated, sent, judged, and settled as soon as each part of it is known. */
export class Delivery {
  readonly #setting: DeliverySetting;
  readonly #claim: Claim;
  readonly #onLanding: () => void;
  readonly #claimedAt: number;
  #isOpenQuestion = false;

  /**
   * @param onLanding what the server said is about to be stored, all of it, and nothing hinders the next
   *   request: what is claimed in answer to this call shares the commit, and sees what it changed
   */
  constructor(setting: DeliverySetting, claim: Claim, onLanding: () => void) {
    this.#setting = setting;
    this.#claim = claim;
    this.#onLanding = onLanding;
    this.#claimedAt = setting.context.runtime.clock.elapsed();
  }

  /** It met no server, and nothing shows whether it was its own fault: a pull may. */
  get isOpenQuestion(): boolean {
    return this.#isOpenQuestion;
  }

  /** Never rejects: what could not be settled comes back when its lease ends. */
  async run(): Promise<DeliveryEnd> {
    try {
      return await this.#run();
    } catch (error) {
      return this.#onError(error);
    }
  }

  #onError(error: unknown): DeliveryEnd {
    const { runtime, emit } = this.#setting.context;
    if (isNexusError(error, 'queue/claim-lost')) {
      emit({ type: 'claim-lost', entryIds: this.#claim.entries.map(({ seq }) => entryIdOf(seq)) });
      return 'settled';
    }
    // The storage failed: the lease will end by itself, nothing is lost. Going on would only repeat it.
    runtime.logger.log('error', 'settling a request failed', { error: String(error) });
    return { failure: error };
  }

  async #run(): Promise<DeliveryEnd> {
    const { context, policy, window, gates } = this.#setting;
    const { clock } = context.runtime;
    if (this.#isTooMany()) return this.#buryTooMany();
    const { entries, settlements } = await migrateEntries(context, this.#claim, window.signal);
    const number = gates.begin();
    const isProbe = isProbing(gates.gate);
    const sent = await this.#send(entries);
    if (sent === null) {
      for (const { seq } of entries) settlements.set(seq, UNTOUCHED);
      await this.#settle(settlements, { kind: 'nothing' }, []);
      return 'settled';
    }
    // Cut off by our own deadline: that says nothing of the endpoint, nor of the entry.
    const isOwnDoing = !sent.isAnswered && window.end !== undefined;
    const { isDoubtful } = gates.gate;
    const evidence = gates.evidence(number);
    const circumstances = isOwnDoing ? undefined : { isProbe, isDoubtful, evidence };
    const judgement = policy.judge(entries, sent.outcomes, clock.now(), circumstances);
    for (const [seq, settlement] of settlements) judgement.settlements.set(seq, settlement);
    const { endpoint, works, isOwnFault, acquits } = judgement;
    this.#isOpenQuestion = judgement.isOpenQuestion;
    let lesson: GateLesson = { kind: 'nothing' };
    if (isOwnFault) lesson = { kind: 'doubt', acquits };
    else if (!isOwnDoing) lesson = gates.lesson(endpoint, works, number);
    if (lesson.kind === 'works') {
      const isUntaken = sent.outcomes.every(({ kind }) => kind !== 'applied');
      lesson = { ...lesson, isBeside: !isProbe, isUntaken, clears: entries.some(isSuspect) };
    }
    const end = endpoint === null ? 'settled' : endpoint.isOffline ? 'offline' : 'blocked';
    try {
      await this.#settleJudgement(judgement, lesson, sent);
    } catch (error) {
      if (!isNexusError(error, 'queue/claim-lost')) throw error;
      this.#onError(error);
    }
    return end;
  }

  /** null: there was nothing to send, or no time or leave for it any more. */
  async #send(entries: readonly EntryRecord[]): Promise<Sent | null> {
    const { context, principal, window, gates, sendTimes } = this.#setting;
    const { clock } = context.runtime;
    // A process that was frozen wakes up with a lease that is over: what it holds is somebody else's.
    const leaseLeftMs = (): number => this.#claim.until - clock.now();
    const mayBegin = (): boolean => window.fits(0) && gates.isPassable && leaseLeftMs() > 0;
    if (entries.length === 0) return null;
    const startedAt = clock.elapsed();
    const batch = { entries, rows: this.#claim.rows };
    const sent = await sendBatch(context, principal, window, batch, { mayBegin, leaseLeftMs });
    if (sent?.isAnswered === true) sendTimes.record(clock.elapsed() - startedAt);
    return sent;
  }

  /** A transaction is never cut, so one that no request can carry would be tried for ever. */
  #isTooMany(): boolean {
    const { remote } = this.#setting.context;
    return this.#claim.entries.length > remote.capabilities.maxBatch;
  }

  async #buryTooMany(): Promise<DeliveryEnd> {
    const { remote, runtime } = this.#setting.context;
    const { length } = this.#claim.entries;
    const detail = `a transaction of ${length} writes; the remote takes ${remote.capabilities.maxBatch}`;
    const failure = failureWith('queue/transaction-too-large', runtime.clock.now(), detail);
    const burial: Settlement = { kind: 'bury', failure, consumesAttempt: false };
    const settlements = new Map(this.#claim.entries.map(({ seq }) => [seq, burial]));
    await this.#settle(settlements, { kind: 'nothing' }, []);
    return 'settled';
  }

  /** What is known is stored at once; what a conflict handler must decide first, after it. */
  async #settleJudgement(judgement: Judgement, lesson: GateLesson, sent: Sent): Promise<void> {
    const { settlements, conflicts } = judgement;
    this.#setting.totals.conflicts += conflicts.length;
    const waiting = this.#matesOf(conflicts.map(({ entry }) => entry));
    const held = new Map([...settlements].filter(([seq]) => waiting.has(seq)));
    for (const seq of held.keys()) settlements.delete(seq);
    if (judgement.endpoint === null && conflicts.length === 0) this.#onLanding();
    if (settlements.size > 0 || lesson.kind !== 'nothing')
      await this.#settleAndLearn(settlements, lesson, judgement.refunds);
    if (conflicts.length === 0) return;
    const decided = new Map<number, Decided>();
    for (const conflict of conflicts) {
      decided.set(conflict.entry.seq, await this.#decide(conflict, sent));
      held.set(conflict.entry.seq, UNTOUCHED);
    }
    await this.#settle(held, { kind: 'nothing' }, [], decided);
  }

  /** What the server said of itself counts, even if the entries are somebody else's by now. */
  async #settleAndLearn(
    settlements: Map<number, Settlement>,
    lesson: GateLesson,
    refunds: Judgement['refunds'],
  ): Promise<void> {
    const { context, gates } = this.#setting;
    try {
      await this.#settle(settlements, lesson, refunds);
    } catch (error) {
      if (isNexusError(error, 'queue/claim-lost') && lesson.kind !== 'nothing') {
        const gate = await context.writer.write(async (uow) => {
          await refundEntries(context, uow, this.#claim.partition, refunds);
          return gates.apply(uow, lesson);
        });
        gates.adopt(gate, lesson);
      }
      throw error;
    }
  }

  async #decide(conflict: Judgement['conflicts'][number], sent: Sent): Promise<Decided> {
    const { context, window, pull } = this.#setting;
    const spentMs = context.runtime.clock.elapsed() - this.#claimedAt;
    const patienceMs = Math.max(0, context.options.leaseMs - spentMs - SETTLE_MARGIN_MS);
    const { versions } = sent;
    return decideConflict(context, conflict, { signal: window.signal, patienceMs, versions, pull });
  }

  /** The seqs of entries that are settled together with these: the rest of their transactions. */
  #matesOf(entries: readonly EntryRecord[]): ReadonlySet<number> {
    const groups = new Set(entries.map((entry) => detailOf(entry).group));
    groups.delete(undefined);
    const mates = this.#claim.entries.filter((entry) => groups.has(detailOf(entry).group));
    return new Set(mates.map(({ seq }) => seq));
  }

  async #settle(
    settlements: Map<number, Settlement>,
    lesson: GateLesson,
    refunds: Judgement['refunds'],
    decided: ReadonlyMap<number, Decided> = new Map(),
  ): Promise<void> {
    const { context, gates, totals } = this.#setting;
    const { rulesOf, writer } = context;
    const done = await writer.write(
      async (uow) => {
        const final = new Map(settlements);
        for (const [seq, decision] of decided)
          final.set(seq, await this.#upheld(uow, seq, decision));
        if (final.size > 0) await settleClaim(uow, this.#claim, final, rulesOf);
        if ([...final.values()].some(isWait))
          await noteWait(uow, this.#claim.partition, context.runtime.clock.now());
        if (this.#endsRun(uow)) noteSynced(uow, this.#claim.partition, context.runtime.clock.now());
        if (lesson.kind === 'works' && lesson.clears === true)
          await fadeSuspicions(uow, this.#claim.partition);
        const revived = await refundEntries(context, uow, this.#claim.partition, refunds);
        return { final, revived, gate: await gates.apply(uow, lesson) };
      },
      { cost: settlements.size, rows: this.#claim.entries.map(rowKey) },
    );
    // Some of them may have been buried by an earlier run.
    totals.dead = Math.max(0, totals.dead - done.revived);
    gates.adopt(done.gate, lesson);
    this.#report(done.final);
  }

  /** Nothing is left, and nothing is fetched afterwards. */
  #endsRun(uow: UnitOfWork): boolean {
    const isLeft = uow.counters(this.#claim.partition).pending.some((count) => count > 0);
    return !isLeft && !pullsAnything(this.#setting.context);
  }

  /**
   * A decision stands only if no pull has brought another row since: else the entry is sent again. Whoever is to
   * decide later decides about that row.
   */
  async #upheld(
    uow: UnitOfWork,
    seq: number,
    { settlement, rowVersion }: Decided,
  ): Promise<Settlement> {
    if (settlement.kind !== 'resolve' && settlement.kind !== 'conflict') return settlement;
    const entry = this.#claim.entries.find((claimed) => claimed.seq === seq);
    if (entry === undefined) return settlement;
    const row = await uow.row(entry.partition, entry.collection, entry.entity);
    const isSame = (row?.version ?? null) === rowVersion;
    if (isSame) return settlement;
    if (settlement.kind === 'resolve') return { ...UNTOUCHED, ambiguous: 0 };
    if (settlement.remote.isTakenBack === true) return settlement;
    return { ...settlement, remote: { value: row?.shadow ?? null, version: row?.version ?? null } };
  }

  #report(settlements: ReadonlyMap<number, Settlement>): void {
    const { context, totals } = this.#setting;
    const { emit, runtime } = context;
    for (const entry of this.#claim.entries) {
      const settlement = settlements.get(entry.seq);
      if (settlement?.kind === 'complete') {
        totals.pushed += 1;
        emit({
          type: 'entry-applied',
          ...nameOf(entry),
          version: settlement.version ?? null,
          waitedMs: Math.max(0, runtime.clock.now() - entry.enqueuedAt),
        });
      } else if (settlement?.kind === 'release' && settlement.failure !== undefined) {
        const { notBefore, failure } = settlement;
        emit({ type: 'entry-released', ...nameOf(entry), notBefore, failure });
      }
    }
  }
}

function isWait(settlement: Settlement): boolean {
  return settlement.kind === 'release' && settlement.notBefore !== null;
}
