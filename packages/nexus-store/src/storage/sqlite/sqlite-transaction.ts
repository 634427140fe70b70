import { assert, InvariantError } from '../../core/model/errors.ts';
import type {
  Change,
  Key,
  ScanRange,
  StorageTransaction,
  StoredRecord,
} from '../../core/ports/storage.ts';
import type { Runtime } from '../../core/ports/runtime.ts';
import type { Awaitable } from './sqlite-client.ts';
import { isLater } from './sqlite-client.ts';
import type { SqliteSession } from './sqlite-session.ts';
import type { TableStatements } from './table-statements.ts';

/**
 * After this long a write of many changes leaves the event loop a turn. A fifth of a frame: before the first
 * slice a shared commit has run its bodies, and after the last one it flushes and resolves, as long again.
 */
const SLICE_MS = 3;
/** Reading the clock for every change would cost more than the change. */
const CHANGES_BETWEEN_LOOKS = 64;

/** The steps of one transaction. After a step has failed every other one fails, and so does the whole. */
export class SqliteTransaction implements StorageTransaction {
  readonly #session: SqliteSession;
  readonly #mode: 'read' | 'write';
  readonly #translated: (error: unknown) => unknown;
  readonly #runtime: Pick<Runtime, 'clock' | 'timers'>;
  #state: 'active' | 'failed' | 'ended' = 'active';
  #failure: unknown;
  #changeCount = 0;

  constructor(
    session: SqliteSession,
    mode: 'read' | 'write',
    translated: (error: unknown) => unknown,
    runtime: Pick<Runtime, 'clock' | 'timers'>,
  ) {
    this.#session = session;
    this.#mode = mode;
    this.#translated = translated;
    this.#runtime = runtime;
  }

  get changeCount(): number {
    return this.#changeCount;
  }

  get(table: string, keys: readonly Key[]): Promise<readonly (StoredRecord | undefined)[]> {
    return this.#step(() => this.#session.table(table).get(keys));
  }

  scan(table: string, range: ScanRange): Promise<readonly StoredRecord[]> {
    return this.#step(() => this.#session.table(table).scan(range));
  }

  write(changes: readonly Change[]): Promise<void> {
    return this.#step(async () => {
      assert(this.#mode === 'write', 'a read transaction does not write');
      const { clock, timers } = this.#runtime;
      let turnAt = clock.elapsed();
      let untilLook = CHANGES_BETWEEN_LOOKS;
      let table: TableStatements | undefined;
      for (const change of changes) {
        if (table?.name !== change.table) table = this.#session.table(change.table);
        const done = 'put' in change ? table.put(change.put) : table.delete(change.delete);
        if (isLater(done)) await done;
        untilLook -= 1;
        if (untilLook > 0) continue;
        untilLook = CHANGES_BETWEEN_LOOKS;
        if (clock.elapsed() - turnAt < SLICE_MS) continue;
        // The connection is this transaction's until it ends: nobody else gets between its changes.
        await timers.yield();
        turnAt = clock.elapsed();
      }
      this.#changeCount += changes.length;
    });
  }

  /** Throws the failure of a step, even one that the body has caught. */
  end(): void {
    if (this.#state === 'failed') throw this.#failure;
    this.#state = 'ended';
  }

  /** Steps that come after this change nothing. */
  abandon(): void {
    if (this.#state === 'active') this.#state = 'ended';
  }

  #step<R>(work: () => Awaitable<R>): Promise<R> {
    if (this.#state === 'failed') return Promise.reject(this.#failure);
    if (this.#state === 'ended')
      return Promise.reject(new InvariantError('a transaction was used after its end'));
    try {
      const answer = work();
      if (!isLater(answer)) return Promise.resolve(answer);
      return answer.catch((error: unknown) => Promise.reject(this.#failed(error)));
    } catch (error) {
      return Promise.reject(this.#failed(error));
    }
  }

  #failed(error: unknown): unknown {
    this.#state = 'failed';
    // SQLite may have rolled back by itself; a later statement would then commit on its own.
    this.#failure = this.#translated(error);
    return this.#failure;
  }
}
