import { isOwnerGone } from '../ports/context-link.ts';
import {
  claimEntries,
  expiredEntries,
  readForClaim,
  type Claim,
  type ClaimRequest,
} from '../queue/claim.ts';
import { rankOfPosition } from '../queue/position.ts';
import type { EntryRecord } from '../queue/records.ts';
import { buryExpired } from '../queue/set-aside.ts';
import { reopenUndecided } from '../queue/undecided.ts';
import { isSuspect } from '../queue/suspicion.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import { Delivery, type DeliverySetting } from './delivery.ts';
import { isOpen, requestLimit } from './gate.ts';
import type { WindowEnd } from './run-window.ts';
import { decidesIn } from './sync-context.ts';

export type PushEnd = 'drained' | 'offline' | 'blocked' | WindowEnd;

interface Flight {
  readonly claim: Claim;
  readonly isCriticalSlot: boolean;
  readonly isUrgent: boolean;
  /** Its request has ended, and what came of it is being stored. */
  isLanding: boolean;
}

/** So many requests in a row of what came later, full or urgent: then it is enough for one drain. */
const MOST_LATER = 3;

/**
 * One drain: claims small batches and keeps several requests in flight until nothing may be sent of what was
 * there when it began, the window ends, or the endpoint fails. What comes later goes along, and is not waited
 * for: writes that keep coming would never let anything be fetched.
 */
export class PushPass {
  readonly #setting: DeliverySetting;
  readonly #owner: string;
  readonly #onProgress: () => void;
  readonly #flights = new Set<Flight>();
  #failure: { readonly error: unknown } | undefined;
  #isExhausted = false;
  #mayHoldCritical = true;
  #stop: 'offline' | 'blocked' | undefined;
  #isOpenQuestion = false;
  /** What has this seq or a later one came after the drain began. */
  #end: number | undefined;
  /** Requests in a row that carried only such. */
  #later = 0;
  #isOver = false;
  /** Grows with everything that may change what there is to do. */
  #changes = 0;
  #wake: () => void = () => {};

  constructor(setting: DeliverySetting, owner: string, onProgress: () => void) {
    this.#setting = setting;
    this.#owner = owner;
    this.#onProgress = onProgress;
  }

  get inFlight(): number {
    let count = 0;
    for (const flight of this.#flights) count += flight.claim.entries.length;
    return count;
  }

  /** It was stopped by an entry on which the way breaks, or the way itself, and nothing else was left to tell. */
  get isOpenQuestion(): boolean {
    return this.#isOpenQuestion;
  }

  /** Entries came or became free: look again. */
  notify(hasCritical: boolean): void {
    if (hasCritical) this.#mayHoldCritical = true;
    this.#lookAgain();
  }

  #lookAgain(): void {
    this.#changes += 1;
    this.#isExhausted = false;
    this.#wake();
  }

  /** @throws whatever the storage threw, once nothing is in flight any more */
  async run(): Promise<PushEnd> {
    const { window } = this.#setting;
    const onEnd = (): void => this.#lookAgain();
    window.signal.addEventListener('abort', onEnd, { once: true });
    try {
      await this.#drain();
    } finally {
      window.signal.removeEventListener('abort', onEnd);
    }
    const isDrained = this.#isExhausted || this.#isOver;
    return window.end ?? this.#stop ?? (isDrained ? 'drained' : 'deadline');
  }

  async #drain(): Promise<void> {
    for (;;) {
      const seen = this.#changes;
      try {
        await this.#fill();
      } catch (error) {
        this.#onFailure(error);
      }
      // A flight may have landed while another was being prepared.
      if (this.#changes !== seen) continue;
      if (this.#flights.size === 0) break;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** The database failed: nothing new begins, what is under way lands, then the caller hears of it. */
  #onFailure(error: unknown): void {
    this.#failure ??= { error };
    this.#stop ??= 'blocked';
  }

  async #fill(): Promise<void> {
    const { context, window, sendTimes, gates } = this.#setting;
    while (this.#stop === undefined && !this.#isOver && window.fits(sendTimes.p90Ms)) {
      const requests = this.#requests();
      const general = requests.filter((flight) => !flight.isCriticalSlot).length;
      // While the gate is open, one entry probes.
      const slots = isOpen(gates.gate) ? 1 : context.options.concurrency;
      if (general < slots) {
        if (this.#isExhausted || !(await this.#launch(false))) return;
        continue;
      }
      const isSlotTaken = general < requests.length;
      if (isSlotTaken || !this.#mayHoldCritical || isOpen(gates.gate)) return;
      if (!(await this.#launch(true))) return;
    }
  }

  /** False if there was nothing to launch. */
  async #launch(isCriticalSlot: boolean): Promise<boolean> {
    const seen = this.#changes;
    const claim = await this.#claim(isCriticalSlot);
    if (claim === 'held') {
      this.#stop ??= 'blocked';
      return false;
    }
    if (claim === undefined) {
      if (seen !== this.#changes) return false;
      if (isCriticalSlot) this.#mayHoldCritical = false;
      else this.#isExhausted = true;
      return false;
    }
    const isUrgent = claim.entries.some((entry) => rankOfPosition(entry.position) <= 1);
    if (!isCriticalSlot) this.#countLater(claim, isUrgent);
    void this.#fly({ claim, isCriticalSlot, isUrgent, isLanding: false });
    return true;
  }

  /**
   * The best is claimed first: a request that has room left for what was there before, and carries none of it, is
   * the last one. Unless some of that is in flight, or is `low` and waits for the urgent.
   */
  #countLater(claim: Claim, isUrgent: boolean): void {
    const isLater = ({ entries }: Claim): boolean =>
      entries.every(({ seq }) => seq >= (this.#end ?? Infinity));
    const flights = [...this.#flights].map((flight) => flight.claim);
    if (!isLater(claim) || !flights.every(isLater)) {
      this.#later = 0;
      return;
    }
    this.#later += 1;
    const isFull = claim.entries.length >= this.#limit;
    this.#isOver = (!isFull && !isUrgent) || this.#later === MOST_LATER;
  }

  async #fly(flight: Flight): Promise<void> {
    this.#flights.add(flight);
    // The next claim and what came of this one share a commit. What a probe taught decides how many follow.
    const onLanding = (): void => {
      const { gate } = this.#setting.gates;
      if (isOpen(gate) || gate.isDoubtful || flight.claim.entries.some(isSuspect)) return;
      flight.isLanding = true;
      this.#lookAgain();
    };
    const delivery = new Delivery(this.#setting, flight.claim, onLanding);
    const end = await delivery.run();
    this.#flights.delete(flight);
    if (typeof end === 'object') this.#onFailure(end.failure);
    else if (end !== 'settled') this.#onStop(end, delivery.isOpenQuestion);
    this.#onProgress();
    // What was claimed since it began to land has seen what it left.
    if (flight.isLanding) this.#wake();
    else this.#lookAgain();
  }

  #onStop(end: 'offline' | 'blocked', isOpenQuestion: boolean): void {
    this.#isOpenQuestion = isOpenQuestion && (this.#stop === undefined || this.#isOpenQuestion);
    this.#stop ??= end;
  }

  /** How many entries the next request may carry. */
  get #limit(): number {
    const { policy, gates } = this.#setting;
    return requestLimit(gates.gate, policy.batchLimit);
  }

  /** What is on the wire, or about to be. */
  #requests(): readonly Flight[] {
    return [...this.#flights].filter(({ isLanding }) => !isLanding);
  }

  /** `held`: the server asked another context to be left alone. */
  async #claim(isCriticalSlot: boolean): Promise<Claim | 'held' | undefined> {
    const { context, principal, window, policy, gates } = this.#setting;
    const { writer, runtime, options } = context;
    const { partition } = principal;
    const isUrgentInFlight = this.#requests().some((flight) => flight.isUrgent);
    // `low` waits while something urgent is on its way, and for a longer window.
    const worst = isCriticalSlot ? 0 : isUrgentInFlight || window.isShort ? 2 : 3;
    const limit = this.#limit;
    return writer.write(
      async (uow) => {
        const now = runtime.clock.now();
        const request: ClaimRequest = {
          partition,
          owner: this.#owner,
          leaseMs: options.leaseMs,
          limit,
          maxBytes: policy.byteLimit,
          now,
          worst,
          deferLow: true,
          isGone: (owner) => isOwnerGone(context.link(), owner),
          held: new Set([...this.#flights].map(({ claim }) => claim.fence)),
          heldEntries: this.inFlight,
          agingMs: options.agingMs,
        };
        uow.requireOpen(partition);
        await reopenUndecided(uow, partition, decidesIn(context));
        await uow.sendChanges();
        const [isPermitted, expired, read] = await Promise.all([
          gates.permits(uow),
          expiredEntries(uow, partition, now),
          readForClaim(uow, request),
        ]);
        if (!isPermitted) return 'held' as const;
        this.#end ??= uow.state.nextSeq;
        const chosen = { ...request, suspects: this.#suspects(isCriticalSlot) };
        if (expired.length === 0) return claimEntries(uow, chosen, read);
        await this.#bury(uow, expired, now);
        return claimEntries(uow, chosen);
      },
      { cost: limit },
    );
  }

  /**
   * While nobody knows whether the endpoint works, others show it, and suspects wait for what they show. One at
   * a time, so that a way that breaks just then is held against one of them at most.
   */
  #suspects(isCriticalSlot: boolean): NonNullable<ClaimRequest['suspects']> {
    const { gate } = this.#setting.gates;
    const requests = this.#requests();
    if (isOpen(gate) || gate.isDoubtful)
      return isCriticalSlot || requests.length > 0 ? 'never' : 'last';
    const isOneInFlight = requests.some(({ claim }) => claim.entries.some(isSuspect));
    return isOneInFlight ? 'never' : 'alone';
  }

  async #bury(uow: UnitOfWork, expired: readonly EntryRecord[], at: number): Promise<void> {
    const { rulesOf } = this.#setting.context;
    for (const entry of expired) await buryExpired(uow, entry, at, rulesOf);
  }
}
