import { StorageError, type Runtime, type Storage } from 'nexus-store';
import type { SeededRandom } from 'nexus-store/testing';
import type { StorageFault } from '../plan/operations.ts';
import type { Handle } from './backing.ts';
import type { Change, Commit, Disk } from './disk.ts';

type Schema = Parameters<Storage['open']>[0];
type Transaction = Parameters<Parameters<Storage['transact']>[1]>[0];
type StepKind = 'open' | 'begin' | 'get' | 'scan' | 'write' | 'commit' | 'committed';

/** What the storage needs of the context it belongs to. */
export interface StorageHost {
  /** The clocks of its process. */
  readonly runtime: Runtime;
  readonly random: SeededRandom;
  readonly delayChance: number;
  after(ms: number, callback: () => void): void;
  /** Ends the context soon: whoever asked waits for ever. */
  die(why: string): void;
  onFault(fault: StorageFault | 'disk-full'): void;
  onCommit(commit: Commit): void;
  /** The power fails in the middle of the commit of these changes, which begins now. */
  failPower(changes: readonly Change[]): void;
  /** The commit is done: if there was nothing to be torn, the power fails now. */
  powerFailed(): void;
}

interface Armed {
  readonly fault: StorageFault;
  left: number;
}

/** A handle on the disk that may be slow, fail at any step, and die with its context. */
export class SimStorage implements Storage {
  readonly capabilities: Storage['capabilities'];
  readonly #handle: Handle;
  readonly #disk: Disk;
  readonly #host: StorageHost;
  readonly #armed: Armed[] = [];
  #isDead = false;
  /** Steps that have not come back: while there are any, the context is not idle. */
  underWay = 0;

  constructor(disk: Disk, host: StorageHost) {
    this.#disk = disk;
    this.#host = host;
    this.#handle = disk.handle(host.runtime);
    this.capabilities = this.#handle.capabilities;
  }

  arm(fault: StorageFault, nth: number): void {
    this.#armed.push({ fault, left: nth });
  }

  /** Nothing of the kind strikes any more. */
  disarm(fault: StorageFault): void {
    const left = this.#armed.filter((armed) => armed.fault !== fault);
    this.#armed.splice(0, this.#armed.length, ...left);
  }

  kill(): void {
    this.#isDead = true;
    this.#handle.kill();
  }

  async open(schema: Schema): Promise<void> {
    await this.#step('open');
    this.#disk.schema = schema;
    await this.#handle.open(schema);
  }

  async transact<R>(mode: 'read' | 'write', body: (tx: Transaction) => Promise<R>): Promise<R> {
    this.underWay += 1;
    try {
      await this.#step('begin');
      const result = await this.#handle.transact(mode, (tx) => this.#run(tx, body));
      if (this.#losesPower) this.#host.powerFailed();
      await this.#step('committed');
      return result;
    } finally {
      this.underWay -= 1;
    }
  }

  foreignCommits(): Promise<number> {
    return this.#handle.foreignCommits();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  async #run<R>(tx: Transaction, body: (tx: Transaction) => Promise<R>): Promise<R> {
    const changes: Change[] = [];
    let failure: { readonly error: unknown } | undefined;
    const guarded = async <T>(kind: StepKind, work: () => Promise<T>): Promise<T> => {
      try {
        await this.#step(kind);
        return await work();
      } catch (error) {
        failure ??= { error };
        throw error;
      }
    };
    const result = await body({
      get: (table, keys) => guarded('get', () => tx.get(table, keys)),
      scan: (table, range) => guarded('scan', () => tx.scan(table, range)),
      write: (some) =>
        guarded('write', async () => {
          if (this.#disk.isFull) {
            this.#host.onFault('disk-full');
            throw new StorageError('storage/quota-exceeded', 'simulated: the disk is full');
          }
          await tx.write(some);
          changes.push(...(some as readonly Change[]));
        }),
    });
    if (failure !== undefined) throw failure.error;
    if (changes.length > 0) {
      await this.#step('commit');
      if (this.#losesPower) this.#host.failPower(changes);
      else this.#host.onCommit(this.#disk.commit(changes));
    }
    return result;
  }

  async #step(kind: StepKind): Promise<void> {
    if (this.#isDead) return never();
    this.#strike(kind);
    const fault = this.#dying;
    if (fault) return never();
    if (this.#host.random.chance(this.#host.delayChance)) {
      await new Promise<void>((resolve) => {
        this.#host.after(Math.floor(this.#host.random.exponential(4)), resolve);
      });
    }
    if (this.#isDead) return never();
  }

  #dying = false;
  #losesPower = false;

  #strike(kind: StepKind): void {
    for (const armed of this.#armed) {
      if (!concerns(armed.fault, kind)) continue;
      armed.left -= 1;
      if (armed.left > 0) continue;
      this.#armed.splice(this.#armed.indexOf(armed), 1);
      this.#host.onFault(armed.fault);
      if (armed.fault === 'power' && this.#disk.power !== undefined) {
        this.#losesPower = true;
        return;
      }
      if (armed.fault === 'kill' || armed.fault === 'power') {
        this.#dying = true;
        this.#host.die(`storage step ${kind}`);
        return;
      }
      throw new StorageError('storage/unavailable', `simulated: ${armed.fault}`);
    }
  }
}

function concerns(fault: StorageFault, kind: StepKind): boolean {
  switch (fault) {
    case 'kill':
      return true;
    case 'fail-write':
      return kind === 'write';
    case 'fail-commit':
    case 'power':
      return kind === 'commit';
    case 'fail-read':
      return kind === 'get' || kind === 'scan' || kind === 'begin';
  }
}

/** What those wait for who do not live to see it. */
export function never(): Promise<never> {
  return new Promise(() => {});
}
