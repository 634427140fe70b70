import { isNexusError } from '../model/errors.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { Storage, StorageTransaction } from '../ports/storage.ts';
import type { QueueState } from './queue-state.ts';
import type { OnDamage } from './record-buffer.ts';
import { UnitOfWork, type ChangedRow, type Savepoint } from './unit-of-work.ts';

/** What a transaction should do. May run twice: alone, after it failed in company. */
export type Body<R> = (uow: UnitOfWork) => R | Promise<R>;

export interface WriteOptions {
  /** About how many single writes this is worth, against the cap of a shared commit. Default 1. */
  readonly cost?: number;
  /** Rows the body will ask for, read together with those of the others. */
  readonly rows?: readonly ChangedRow[];
}

export interface WriterHooks {
  readonly beforeCommit?: (uow: UnitOfWork) => Promise<void> | undefined;
  /** A failure here is logged: the commit stands. */
  readonly afterCommit?: (uow: UnitOfWork) => void;
  /** Told of records that cannot be read, by every transaction that meets them. */
  readonly onDamage?: OnDamage;
}

/**
 * A write that waits for its commit. Ten thousand can wait at once, so those that most apps have most of
 * are one object, not a nest of closures.
 */
export abstract class Job<R, V> {
  /** About how many single writes this is worth, against the cap of a shared commit. */
  readonly cost: number;
  resolve: (value: V) => void = doNothing;
  reject: (error: unknown) => void = doNothing;
  /** What `run` came to: its result, or why it failed. */
  outcome: unknown = undefined;
  hasFailed = false;

  constructor(cost: number) {
    this.cost = cost;
  }

  /** Adds the rows that `run` will ask for, to be read together with those of the others. */
  abstract addRows(rows: ChangedRow[]): void;
  /** May run twice: alone, after it failed in company. */
  abstract run(uow: UnitOfWork): R | Promise<R>;
  /** What the caller gets, once it is durable. Must not throw. */
  abstract finish(result: R): V;

  settle(): void {
    if (this.hasFailed) this.reject(this.outcome);
    else this.resolve(this.finish(this.outcome as R));
  }
}

function doNothing(): void {}

class BodyJob<R> extends Job<R, R> {
  readonly #body: Body<R>;
  readonly #rows: readonly ChangedRow[];

  constructor(body: Body<R>, { cost = 1, rows = [] }: WriteOptions) {
    super(cost);
    this.#body = body;
    this.#rows = rows;
  }

  addRows(rows: ChangedRow[]): void {
    for (const row of this.#rows) rows.push(row);
  }

  run(uow: UnitOfWork): R | Promise<R> {
    return this.#body(uow);
  }

  finish(result: R): R {
    return result;
  }
}

type AnyJob = Job<unknown, unknown>;

/**
 * A shared commit holds about this many writes. Measured with SQLite: a commit of 1,000 costs 1 to 1.7
 * microseconds less for each write than one of 400, since it writes each page of an index once. That
 * it does not hold the event loop is the driver's business: it writes in slices.
 */
const COMMIT_COST = 1_000;
/** Writes that follow one another leave the event loop a turn at least this often. */
const TURN_MS = 8;

/**
 * All writing to a database goes through here. Writes that arrive while another commit is under way,
 * or in the same turn, share one transaction; each promise resolves when its own commit is durable.
 * First come, first served.
 */
export class Writer {
  readonly #storage: Storage;
  readonly #runtime: Runtime;
  readonly #hooks: WriterHooks;
  #jobs: AnyJob[] = [];
  /** Jobs before this one were taken. */
  #next = 0;
  #isRunning = false;
  #turnAt = 0;
  #restedAt = 0;
  #lastState: QueueState | undefined;

  constructor(runtime: Runtime, storage: Storage, hooks: WriterHooks = {}) {
    this.#runtime = runtime;
    this.#storage = storage;
    this.#hooks = hooks;
  }

  /** Runs `body` in a write transaction, perhaps shared, and resolves when it is durable. */
  write<R>(body: Body<R>, options: WriteOptions = {}): Promise<R> {
    return this.add(new BodyJob(body, options));
  }

  /** The same for a job. */
  add<R, V>(job: Job<R, V>): Promise<V> {
    return new Promise<V>((resolve, reject) => {
      job.resolve = resolve;
      job.reject = reject;
      this.#jobs.push(job as AnyJob);
      if (this.#isRunning) return;
      this.#isRunning = true;
      void this.#run();
    });
  }

  /** Reads in a transaction of its own. Nothing may be changed. */
  read<R>(body: Body<R>): Promise<R> {
    const { onDamage } = this.#hooks;
    return this.#storage.transact('read', async (tx) =>
      body(new UnitOfWork(tx, 'read', undefined, onDamage)),
    );
  }

  async #run(): Promise<void> {
    // Writes of the same turn join: they all are here once this microtask runs.
    await Promise.resolve();
    const { clock, timers } = this.#runtime;
    const now = clock.elapsed();
    // After a rest the event loop has had its turn.
    if (now - this.#restedAt >= TURN_MS) this.#turnAt = now;
    while (this.#next < this.#jobs.length) {
      if (clock.elapsed() - this.#turnAt >= TURN_MS) {
        await timers.yield();
        this.#turnAt = clock.elapsed();
      }
      await this.#commit(this.#take());
    }
    this.#jobs = [];
    this.#next = 0;
    this.#restedAt = clock.elapsed();
    this.#isRunning = false;
  }

  #take(): readonly AnyJob[] {
    const start = this.#next;
    let cost = 0;
    let end = start;
    for (; end < this.#jobs.length; end += 1) {
      const job = this.#jobs[end] as AnyJob;
      if (end > start && cost + job.cost > COMMIT_COST) break;
      cost += job.cost;
    }
    const taken = this.#jobs.slice(start, end);
    this.#next = end;
    if (end > COMMIT_COST) {
      this.#jobs = this.#jobs.slice(end);
      this.#next = 0;
    }
    return taken;
  }

  async #commit(jobs: readonly AnyJob[]): Promise<void> {
    let work: UnitOfWork;
    try {
      work = await this.#storage.transact('write', (tx) => this.#perform(tx, jobs));
    } catch (error) {
      await this.#recover(jobs, error);
      return;
    }
    this.#report(work);
    for (const job of jobs) job.settle();
  }

  async #perform(tx: StorageTransaction, jobs: readonly AnyJob[]): Promise<UnitOfWork> {
    const work = new UnitOfWork(tx, 'write', this.#lastState, this.#hooks.onDamage);
    const rows = rowsOf(jobs);
    // Asked for together: where each request is a journey, one after another costs a save a third more.
    if (rows.length === 0) await work.loadState();
    else await Promise.all([work.loadState(), work.preloadRows(rows)]);
    for (const job of jobs) {
      const pending = runJob(work, job);
      if (pending !== undefined) await pending;
    }
    const pending = this.#hooks.beforeCommit?.(work);
    if (pending !== undefined) await pending;
    await work.flush();
    this.#lastState = work.state;
    return work;
  }

  #report(work: UnitOfWork): void {
    try {
      this.#hooks.afterCommit?.(work);
    } catch (error) {
      this.#runtime.logger.log('error', 'a listener failed after a commit', {
        error: String(error),
      });
    }
  }

  /** A commit that failed as a whole may have failed for one write's sake: each gets its own try. */
  async #recover(jobs: readonly AnyJob[], error: unknown): Promise<void> {
    if (jobs.length > 1 && mayBeOneWrite(error)) {
      for (const job of jobs) await this.#commit([job]);
      return;
    }
    for (const job of jobs) job.reject(error);
  }
}

/** False for failures of the database itself: trying 400 times would only take 400 times as long. */
function mayBeOneWrite(error: unknown): boolean {
  if (!isNexusError(error) || !error.code.startsWith('storage/')) return true;
  return error.code === 'storage/quota-exceeded' || error.code === 'storage/corrupt';
}

function rowsOf(jobs: readonly AnyJob[]): readonly ChangedRow[] {
  const rows: ChangedRow[] = [];
  for (const job of jobs) job.addRows(rows);
  return rows;
}

/** Runs one job; without a promise if it needs none. */
function runJob(work: UnitOfWork, job: AnyJob): Promise<void> | undefined {
  const savepoint = work.savepoint();
  job.hasFailed = false;
  try {
    const result = job.run(work);
    if (result instanceof Promise) {
      return result.then(
        (value) => {
          job.outcome = value;
        },
        (error: unknown) => fail(work, job, savepoint, error),
      );
    }
    job.outcome = result;
  } catch (error) {
    fail(work, job, savepoint, error);
  }
  return undefined;
}

function fail(work: UnitOfWork, job: AnyJob, savepoint: Savepoint, error: unknown): void {
  // The database failed, so the transaction cannot go on.
  if (isNexusError(error) && error.code.startsWith('storage/')) throw error;
  work.rollbackTo(savepoint);
  job.hasFailed = true;
  job.outcome = error;
}
