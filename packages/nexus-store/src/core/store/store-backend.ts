import {
  COUNT,
  FUNCTION,
  NAME,
  requireKind,
  requireOptions,
  type Kinds,
} from '../model/arguments.ts';
import type { EntityId, Entry, EntryId } from '../model/entry.ts';
import type { SyncEvent } from '../model/events.ts';
import type { Live } from '../model/live.ts';
import type { PriorityRank, SyncPriority } from '../model/priority.ts';
import type { ContextLink } from '../ports/context-link.ts';
import type { SyncReport } from '../model/sync-report.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { CancelResult, RetryResult } from '../queue/control.ts';
import type { Writer } from '../queue/writer.ts';
import type { Resolution } from '../sync/conflict-strategy.ts';
import { nextAttemptAt } from '../sync/rest.ts';
import type { SyncOptions } from '../sync/sync-options.ts';
import type { SyncStatus } from '../sync/sync-status.ts';
import { BackendCore, setCore } from './backend-core.ts';
import type { BackendOptions } from './backend-options.ts';
import type { DeadLetterFilter } from './dead-letters.ts';
import { Principals, type SignOutOptions } from './principals.ts';
import {
  QueueControl,
  type ConflictDetails,
  type PendingChangesOptions,
  type ResolveOptions,
} from './queue-control.ts';
import { changeSession } from './session.ts';
import { runTransaction, type TransactionStores } from './transaction.ts';
import { SyncMarks, type SyncMark } from './sync-marks.ts';
import type { Watch } from './watchers.ts';

export type { BackendOptions } from './backend-options.ts';
export type { PendingOnSignOut, SignOutOptions } from './principals.ts';
export type { ConflictDetails, PendingChangesOptions, ResolveOptions } from './queue-control.ts';
export type { SyncMark } from './sync-marks.ts';

interface PendingOptions {
  readonly collection?: string;
  readonly limit?: number;
}

const PENDING_OPTIONS: Kinds<PendingOptions> = { collection: NAME, limit: COUNT };

/**
 * A storage joined with a remote, and the one queue between them that all its stores share, so that
 * priority is global. Opens the database at first use.
 */
export class StoreBackend {
  readonly runtime: Runtime;
  readonly #core: BackendCore;
  readonly #control: QueueControl;
  readonly #marks: SyncMarks;
  readonly #principals: Principals;

  constructor(runtime: Runtime, options: BackendOptions) {
    this.runtime = runtime;
    this.#core = new BackendCore(runtime, options);
    this.#control = new QueueControl(this.#core);
    this.#marks = new SyncMarks(this.#core);
    this.#principals = new Principals(this.#core);
    setCore(this, this.#core);
  }

  // ---- opening and closing -----------------------------------------------------------------------

  /** Opens the database. Every other call does so by itself; call it to meet failures early. */
  open(): Promise<void> {
    return this.#core.open();
  }

  /** True once `open` is done. */
  get isOpen(): boolean {
    return this.#core.isOpen;
  }

  /** Ends the run under way and closes the database. Nothing fires afterwards. Idempotent. */
  close(): Promise<void> {
    const closed = this.#core.close();
    this.#marks.close();
    return closed;
  }

  // ---- writing as one ----------------------------------------------------------------------------

  /**
   * Several writes as one: one commit here, one group for the server, all or nothing in both places.
   * A transaction inside is a savepoint: if it throws and is caught, only its own writes are undone.
   *
   * @throws UsageError `usage/invalid-argument` for more writes than the remote takes in one request
   */
  async transaction<R>(body: (tx: TransactionStores) => Promise<R> | R): Promise<R> {
    requireKind('transaction: body', body, FUNCTION);
    await this.#core.open();
    return runTransaction(this.#core, body);
  }

  // ---- sync --------------------------------------------------------------------------------------

  /**
   * Sends what is queued and fetches what changed, now. A call during a run joins it: then the tightest
   * of all callers' limits holds. Never rejects for what the network or the server do: the report says
   * it. Of a backend without a remote it says `offline`: there is nobody to send to.
   *
   * @throws UsageError `usage/invalid-argument`
   * @throws StorageError if the database failed
   */
  async sync(options: SyncOptions = {}): Promise<SyncReport> {
    return this.#core.calls.sync(options);
  }

  /** Something may have changed: the network returned, the app came to the front. */
  wake(): void {
    this.#core.calls.wake();
  }

  /** No run begins, and the run under way ends, until `resume`. Remembered across restarts. */
  async pause(): Promise<void> {
    const { engine, writer, status } = await this.#opened();
    engine.pause();
    this.#core.calls.setListening(false);
    await writer.write((uow) => changeSession(uow, { isPaused: true }));
    await engine.stop('paused');
    this.#core.auto.onRest(await status.refreshNow(), engine.pullDueInMs);
  }

  async resume(): Promise<void> {
    const { engine, writer, status } = await this.#opened();
    // Stored first: if that fails, it is still paused, here and after a restart.
    await writer.write((uow) => changeSession(uow, { isPaused: false }));
    engine.resume();
    this.#core.calls.setListening(true);
    this.#core.auto.onRest(await status.refreshNow(), engine.pullDueInMs);
    this.#core.calls.wake();
  }

  get isPaused(): boolean {
    return this.#core.engine.isPaused;
  }

  get status(): Live<SyncStatus> {
    this.#openSoon();
    return this.#core.status.live;
  }

  /** How many writes wait to be sent, over all collections: for a badge. */
  get pendingChangesCount(): Live<number> {
    this.#openSoon();
    return this.#core.status.pendingCount;
  }

  /** Hears every edge of queue and engine. Returns how to stop. */
  on(listener: (event: SyncEvent) => void): () => void {
    requireKind('on: listener', listener, FUNCTION);
    return this.#core.events.on(listener);
  }

  /**
   * Fetches what changed in one collection.
   *
   * @throws RemoteError when the server cannot be asked
   */
  async fetch(collection: string): Promise<void> {
    requireKind('fetch: collection', collection, NAME);
    const { engine } = await this.#opened();
    await engine.fetch(collection);
  }

  /** Another context wrote: everyone looks again. */
  refresh(): Promise<void> {
    return this.#core.refresh();
  }

  /** A number that changes when another context has committed. */
  async foreignCommits(): Promise<number> {
    const { storage } = await this.#opened();
    return storage.foreignCommits();
  }

  // ---- the queue, for people ---------------------------------------------------------------------

  /**
   * Everything that is queued: first what may be sent now, in the order in which it would be; then what waits
   * for something (its turn behind an older write of its entity, what it comes `after`, the rest of its
   * transaction, a time, a decision), the oldest first. What waits behind a write of the first part may well
   * be sent before the end of that part: it gets its place when that write has gone.
   */
  async pendingChanges(options: PendingOptions = {}): Promise<readonly Entry[]> {
    requireOptions('pendingChanges', options, PENDING_OPTIONS);
    return this.#control.pendingChanges(options.collection, options.limit);
  }

  /** The same as it changes; of one entity also what is dead. Looks at most every 50 ms. */
  watchPendingChanges(options: PendingChangesOptions = {}): Watch<readonly Entry[]> {
    return this.#control.watchPendingChanges(options);
  }

  /**
   * How far one entity has come on its way to the server. However many are watched, a write costs a reading of
   * those it changed, all at once and at most every 50 ms.
   */
  watchSyncMark(collection: string, entityId: EntityId): Watch<SyncMark> {
    return this.#marks.watch(collection, entityId);
  }

  deadLetters(filter: DeadLetterFilter = {}): Promise<readonly Entry[]> {
    return this.#control.deadLetters(filter);
  }

  entry(id: EntryId): Promise<Entry | undefined> {
    return this.#control.entry(id);
  }

  /**
   * Sends a dead letter again, or a waiting entry without its delay.
   *
   * @throws StoreError of a dead letter that had left its lane: `store/exists` if it creates what was created anew
   *   since, `store/not-found` if it changes what a waiting delete removes; nothing has changed
   */
  retry(id: EntryId): Promise<RetryResult> {
    return this.#control.retry(id);
  }

  /** Sends all dead letters again that the filter lets through. Returns how many. */
  retryAll(filter: DeadLetterFilter = {}): Promise<number> {
    return this.#control.retryAll(filter);
  }

  /** Gives a dead letter up for good. False if it is not one. */
  discard(id: EntryId): Promise<boolean> {
    return this.#control.discard(id);
  }

  /** The dead letters with payload and reason, as JSON text. */
  export(filter: DeadLetterFilter = {}): Promise<string> {
    return this.#control.export(filter);
  }

  /** Takes a write that was certainly not applied out of the queue, and gives the app the old value back. */
  cancel(id: EntryId): Promise<CancelResult> {
    return this.#control.cancel(id);
  }

  /**
   * Changes how urgent an entry is. False if there is none.
   *
   * @throws UsageError `usage/unknown-priority`
   */
  reprioritise(id: EntryId, priority: SyncPriority): Promise<boolean> {
    return this.#control.reprioritise(id, priority);
  }

  /** The sides of a conflict that its lane waits for, to show to people; undefined if it is none. */
  conflictOf(id: EntryId): Promise<ConflictDetails | undefined> {
    return this.#control.conflictOf(id);
  }

  /**
   * Decides a conflict that its lane waits for. False if the entry is not one, or not any more.
   *
   * @throws StoreError `store/conflict-changed` if `remoteVersion` is not what the server has any more, as far as
   *   this device knows; nothing was decided
   * @throws UsageError `usage/invalid-argument`
   */
  resolveConflict(
    id: EntryId,
    resolution: Exclude<Resolution<unknown>, { use: 'later' }>,
    options: ResolveOptions = {},
  ): Promise<boolean> {
    return this.#control.resolveConflict(id, resolution, options);
  }

  // ---- who ---------------------------------------------------------------------------------------

  /** The stable id of the signed-in user; null if nobody is. */
  get principal(): string | null {
    return this.#core.principal.id;
  }

  /**
   * From now on rows and entries are this user's. What the same user left waiting goes on. Called again
   * for the same user, it says that there are new credentials.
   */
  signIn(principal: string): Promise<void> {
    return this.#principals.signIn(principal);
  }

  /**
   * Nobody is signed in any more. What was not sent is kept, unseen, until the same user returns
   * (default), sent first as far as the timeout allows, or deleted with the user's rows. What is deleted is
   * gone for the app and for the server in the moment in which the user is signed out; that it is erased from
   * the device as well is waited for.
   *
   * @throws StorageError if the database failed. If nobody is signed in afterwards (`principal` is null), only
   *   the erasing was cut off: it goes on by itself, also after a restart
   */
  signOut(options: SignOutOptions = {}): Promise<void> {
    return this.#principals.signOut(options);
  }

  // ---- for other parts of this package -----------------------------------------------------------

  /** @internal */
  get writer(): Writer {
    return this.#core.writer;
  }

  /** @internal False if it was made without a remote: then nothing is ever sent from here. */
  get hasRemote(): boolean {
    return this.#core.hasRemote;
  }

  /** @internal Whose rows and entries are seen, as storage knows it. */
  get partition(): number {
    return this.#core.partition;
  }

  /** @internal Entries were committed by somebody else: tell those who send them. */
  onEnqueued(best: PriorityRank): void {
    this.#core.onEnqueued(best);
  }

  /** @internal */
  emit(event: SyncEvent): void {
    this.#core.emit(event);
  }

  /** @internal Takes turns with other contexts that have this database open, and tells them of commits. */
  linkWith(link: ContextLink): void {
    this.#core.link = link;
  }

  /** @internal Another context may have committed something that a run under way should know of. */
  lookAgain(): void {
    this.#core.engine.notify(0);
  }

  /** @internal How many records of a discarded user are erased in one commit. */
  eraseInStepsOf(count: number): void {
    this.#core.eraser.setStep(count);
  }

  /** @internal Whether to listen to the server's hints here. */
  mayListen(isAllowed: boolean): void {
    this.#core.calls.mayListen(isAllowed);
  }

  /** @internal No screen, and nothing keeps this context alive: only runs that are asked for send. */
  beHeadless(): void {
    this.#core.beHeadless();
  }

  /** @internal What the storage calls its database; null if it does not say. */
  get databaseName(): string | null {
    const { name } = this.#core.storage as { readonly name?: unknown };
    return typeof name === 'string' ? name : null;
  }

  /** @internal What the background policy decides on, read anew. */
  async queueFacts(): Promise<{
    readonly pending: readonly [number, number, number, number];
    readonly nextAttemptAt: number | null;
  }> {
    const { status, runtime } = await this.#opened();
    const rest = await status.refreshNow();
    const { critical, high, normal, low } = status.live.current.pending;
    return {
      pending: [critical, high, normal, low],
      nextAttemptAt: nextAttemptAt(rest, runtime.clock.now()),
    };
  }

  #openSoon(): void {
    this.#core.open().catch(() => {});
  }

  async #opened(): Promise<BackendCore> {
    await this.#core.open();
    return this.#core;
  }
}
