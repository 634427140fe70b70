import {
  createSeededRandom,
  createVirtualRuntime,
  type SeededRandom,
  type VirtualRuntime,
} from 'nexus-store/testing';
import { checkClaims, leasedPositions } from '../checkers/claims.ts';
import { checkDepartures } from '../checkers/departures.ts';
import { checkDiscards, type SignOut } from '../checkers/erased.ts';
import { History } from '../checkers/history.ts';
import { NaiveQueue } from '../checkers/naive-queue.ts';
import { checkRecords, name } from '../checkers/records-agree.ts';
import type { Scene, Violation } from '../checkers/scene.ts';
import { TrafficRules } from '../checkers/traffic.ts';
import { checkIndexes } from '../checkers/indexes.ts';
import { checkFolds } from '../checkers/folds.ts';
import { checkLostUpdates } from '../checkers/lost-updates.ts';
import { checkVersions } from '../checkers/versions.ts';
import { UnseenRule } from '../checkers/unseen.ts';
import { Waits } from '../checkers/waits.ts';
import type { Plan, WorldSettings } from '../plan/operations.ts';
import type { Survivors } from '../power/medium.ts';
import type { Trace } from '../trace.ts';
import {
  AppContext,
  type ContextParts,
  type ContextWitness,
  type SyncEvent,
} from './app-context.ts';
import { FOLDER_PREFIX } from './backing.ts';
import { Disk, type Change, type Commit, type Lost } from './disk.ts';
import type { LeaseOnDisk } from './records.ts';
import { Network, type Flight, type NetworkWitness } from './network.ts';
import { ModelServer, type Answer, type Applied, type ServerWitness } from './server.ts';

const FOLDER = new RegExp(`${FOLDER_PREFIX}\\w+`, 'g');

/** The patience of the SQLite driver, and some time for what waits behind it. */
const LOCK_PATIENCE_MS = 30_000;

/** Everything that a plan runs in, and everyone who watches it. */
export class World implements ServerWitness, NetworkWitness, ContextWitness, Scene {
  readonly plan: Plan;
  readonly settings: WorldSettings;
  readonly runtime: VirtualRuntime;
  readonly disk: Disk;
  readonly server: ModelServer;
  readonly network: Network;
  readonly history = new History();
  readonly traffic: TrafficRules;
  readonly unseen: UnseenRule = new UnseenRule(this);
  readonly waits = new Waits();
  readonly contexts: (AppContext | undefined)[] = [undefined, undefined];
  violation: Violation | undefined;
  step = 0;
  /** The version of the app that contexts start with. */
  appVersion = 1;
  /** The wall clock jumped: waits counted by it end early or late. */
  wasClockMoved = false;
  /** When the last frozen context goes on, on the monotonic clock. */
  frozenUntil = -Infinity;
  #contextNumber = 0;
  #queue: NaiveQueue;
  readonly #parts: ContextParts;
  /** What contexts are doing that lets entries leave the queue. */
  readonly wishes = new Map<'remove' | 'vanish' | 'erase', number>();
  /** The sign-outs under way. */
  readonly signOuts = new Map<AppContext, readonly SignOut[]>();

  readonly #powerRandom: SeededRandom;
  /** What was being committed when the power began to fail. */
  #open: { readonly context: AppContext; readonly changes: readonly Change[] } | undefined;
  /** There is no power; what it has left of the file. */
  #outage: { readonly survivors: Survivors | undefined } | undefined;
  readonly #ignored: readonly string[];
  readonly #trace: Trace;

  /** @param ignored rules that are known to be broken */
  constructor(plan: Plan, trace: Trace, ignored: readonly string[]) {
    this.plan = plan;
    this.settings = plan.settings;
    this.#trace = trace;
    this.#ignored = ignored;
    this.runtime = createVirtualRuntime(plan.seed, { driftPpm: plan.settings.driftPpm });
    const { storage = 'memory', isRelaxed, checkpointPages } = plan.settings;
    this.disk = new Disk({ storage, isRelaxed, checkpointPages }, this.runtime);
    this.#powerRandom = createSeededRandom(plan.seed, 'power');
    this.server = new ModelServer(this, () => this.runtime.clock.elapsed());
    this.traffic = new TrafficRules(this);
    const random = createSeededRandom(plan.seed, 'network');
    this.network = new Network(this.runtime, this.server, random, this, plan.settings.poison);
    this.#queue = new NaiveQueue(this.disk, this.history);
    this.#parts = {
      runtime: this.runtime,
      disk: this.disk,
      network: this.network,
      random: createSeededRandom(plan.seed, 'storage'),
      settings: plan.settings,
      witness: this,
      isAnyoneFrozen: () => this.runtime.clock.elapsed() <= this.frozenUntil,
      appVersion: () => this.appVersion,
    };
  }

  /** A frozen context may hold the lock of the file for longer than others have patience. */
  get mayBeHeldUp(): boolean {
    const isShared = this.plan.settings.storage === 'sqlite';
    return isShared && this.runtime.clock.elapsed() < this.frozenUntil + LOCK_PATIENCE_MS;
  }

  get queue(): NaiveQueue {
    return this.#queue;
  }

  /** The first violation counts: what follows it may only be its consequence. */
  readonly fail = (rule: string, message: string): void => {
    this.trace(`VIOLATION ${rule}: ${message}`);
    if (this.#ignored.includes(rule)) return;
    this.violation ??= { rule, message, step: this.step };
  };

  trace(line: string): void {
    // Where the file lies is another place each time, and stands in errors.
    const told = line.includes(FOLDER_PREFIX) ? line.replace(FOLDER, FOLDER_PREFIX) : line;
    this.#trace.add(`${String(this.runtime.clock.elapsed()).padStart(9)} ${told}`);
  }

  get alive(): readonly AppContext[] {
    return this.contexts.filter((context) => context?.isAlive === true) as AppContext[];
  }

  // ---- contexts ----------------------------------------------------------------------------------

  open(slot: number): AppContext {
    const context = new AppContext(slot, this.#contextNumber++, this.#parts);
    this.contexts[slot] = context;
    if (this.mayBeHeldUp) context.faultAt = context.bornAt;
    this.trace(`${context.name} opens`);
    return context;
  }

  // ---- power -------------------------------------------------------------------------------------

  onPowerFailing(context: AppContext, changes: readonly Change[]): void {
    this.#open = { context, changes };
    this.disk.power?.cutAtNext(() => this.cutPower(true));
  }

  onPowerFailed(): void {
    this.cutPower(false);
  }

  /** All contexts die at once. @param isInside in the middle of what SQLite did last */
  cutPower(isInside: boolean): void {
    if (this.#outage !== undefined) return;
    const survivors = this.disk.power?.fail(this.#powerRandom, isInside);
    this.#outage = { survivors };
    this.trace(`the power fails${isInside ? ' in the middle of a commit' : ''}`);
    for (const context of this.alive) context.kill('power loss');
  }

  /**
   * The power is back, if it was gone: what is left is looked at.
   *
   * @param lost where there is no file to be torn: so many of the last commits are gone
   */
  async restorePower(lost = 0): Promise<void> {
    const outage = this.#outage;
    if (outage === undefined) return;
    await this.runtime.settle();
    this.#outage = undefined;
    const { isRelaxed } = this.settings;
    const { touched, hasGate } =
      outage.survivors === undefined
        ? await this.disk.lose(isRelaxed ? lost : 0)
        : await this.#lookAt(outage.survivors);
    this.#open = undefined;
    if (hasGate) this.traffic.forgetPromises();
    if (touched.size > 0) {
      const inTheAir = this.traffic.forget(touched, this.history);
      this.history.forget(touched, [...this.disk.entries.values()], inTheAir);
    }
    for (const entry of this.disk.entries.values()) {
      const owner = this.disk.partitions.get(entry.partition);
      this.history.record(entry, this.disk.commits, owner);
    }
    this.#queue = new NaiveQueue(this.disk, this.history);
  }

  /** A loss of power leaves a state that was there, and nothing that was promised is missing. */
  async #lookAt(survivors: Survivors): Promise<Lost> {
    try {
      const { isRelaxed } = this.settings;
      const changes = this.#open?.changes;
      const left = await this.disk.loseTo(survivors, this.#powerRandom, isRelaxed, changes);
      const end = left.survived === undefined ? 'is gone' : 'is there';
      const open = this.#open === undefined ? '' : `; the one under way ${end}`;
      this.trace(`${left.undone} commits are gone${open}`);
      if (this.#open !== undefined && left.survived !== undefined) {
        this.onCommit(this.#open.context, left.survived);
      }
      return left;
    } catch (error) {
      this.fail('torn', error instanceof Error ? `${error.name}: ${error.message}` : String(error));
      return { touched: new Set(), hasGate: false };
    }
  }

  /** Called from inside the product, which must not meet the errors of a check. */
  onCommit(context: AppContext, commit: Commit): void {
    try {
      this.#checkCommit(context, commit);
    } catch (error) {
      this.fail('simulator', error instanceof Error ? (error.stack ?? '') : String(error));
    }
  }

  #checkCommit(context: AppContext, commit: Commit): void {
    for (const other of this.alive) if (other !== context) other.isBehind = true;
    const before = this.#queue;
    const leasedBefore = leasedPositions(leasesBefore(this.disk, commit));
    this.#traceCommit(context, commit);
    checkDepartures(this, commit, {
      mayRemove: this.#wants('remove'),
      mayVanish: this.#wants('vanish'),
      mayErase: this.#wants('erase'),
      isWritten: (collection, id) => context.isWriting(collection, id),
    });
    checkFolds(this, commit);
    const signOuts = (this.signOuts.get(context) ?? []).filter(({ isDone }) => !isDone);
    checkDiscards(this, commit, context.backend.partition, signOuts);
    checkLostUpdates(this, commit);
    checkVersions(this, commit);
    this.unseen.onCommit(commit);
    checkIndexes(this, commit);
    this.waits.onCommit(commit, this.runtime.clock.now());
    this.#queue = new NaiveQueue(this.disk, this.history);
    checkRecords(this, this.#queue, commit);
    checkClaims(this, before, this.#queue, leasedBefore, commit);
    if (commit.meta.some(({ after }) => after?.name === 'gate:remote')) {
      this.traffic.onGateWritten(context);
    }
  }

  #wants(wish: 'remove' | 'vanish' | 'erase'): boolean {
    return (this.wishes.get(wish) ?? 0) > 0;
  }

  #traceCommit(context: AppContext, commit: Commit): void {
    const entries = commit.entries.map(({ before, after }) => {
      if (after === undefined) return `-${before === undefined ? '' : before.seq}`;
      const marks = [after.state, after.ambiguous === 1 ? 'ambiguous' : null].filter(Boolean);
      return `${before === undefined ? '+' : '~'}${name(after)}${marks.map((mark) => ` ${mark}`).join('')}`;
    });
    const leases = commit.leases.map(({ before, after }) =>
      after === undefined ? `-lease ${before?.fence}` : `lease ${after.fence} ${after.positions}`,
    );
    this.trace(`${context.name} commits ${[...entries, ...leases].join('; ')}`);
  }

  onEvent(context: AppContext, event: SyncEvent): void {
    if (!context.isAlive) return;
    if (event.type === 'entry-vanished' || event.type === 'entry-cancelled')
      this.history.vanished.add(event.entryId);
    const { type, ...facts } = event;
    this.trace(`${context.name} ${type} ${JSON.stringify(facts)}`);
  }

  onFault(context: AppContext, fault: string): void {
    this.traffic.forgetPromises();
    this.trace(`${context.name} storage fault: ${fault}`);
  }

  onLog(context: AppContext, level: string, message: string, fields: unknown): void {
    const text = `${message} ${JSON.stringify(fields)}`;
    this.trace(`${context.name} log ${level}: ${text}`);
    if (message === 'sync failed') context.isRunning = false;
    if (/invariant broken|TypeError|RangeError|ReferenceError/.test(text))
      this.fail('error-logged', text);
  }

  onDeath(context: AppContext, why: string): void {
    this.trace(`${context.name} dies: ${why}`);
    this.traffic.onDeath(context);
    if (this.contexts[context.slot] === context) this.contexts[context.slot] = undefined;
  }

  // ---- network and server ------------------------------------------------------------------------

  onSend(flight: Flight): void {
    this.traffic.onSend(flight.context as AppContext, flight);
  }

  onAnswer(flight: Flight, answer: Answer): void {
    this.traffic.onAnswer(flight.context as AppContext, flight, answer);
  }

  onEnd(flight: Flight): void {
    this.traffic.onEnd(flight);
  }

  onApplied(applied: Applied): void {
    const { operation, version } = applied;
    this.trace(
      `server applies ${operation.id} ${operation.idempotencyKey.slice(-6)} -> ${version}`,
    );
    this.traffic.onApplied(applied);
    this.unseen.onApplied(applied);
    this.network.hint(applied.principal, operation.collection);
  }

  onRefused(
    _principal: string,
    operation: { id: string; idempotencyKey: string },
    status: 'conflict' | 'rejected',
  ): void {
    this.trace(`server: ${status} for ${operation.id}`);
    if (status === 'conflict') this.history.conflicted.add(operation.idempotencyKey);
    else this.history.rejected.add(operation.idempotencyKey);
  }
}

function leasesBefore(disk: Disk, commit: Commit): Iterable<LeaseOnDisk> {
  const leases = new Map(disk.leases);
  for (const { before, after } of commit.leases) {
    if (before !== undefined) leases.set(String(before.fence), before);
    else if (after !== undefined) leases.delete(String(after.fence));
  }
  return leases.values();
}
