import { COUNT, objectWith, OBJECT, requireKind } from '../core/model/arguments.ts';
import type { ArmedFault } from './storage-laws/law.ts';

/** The shape of a client of `nexus-store/sqlite`, as far as faults are put between it and its user. */
interface Client {
  readonly encrypted: boolean;
  open(path: string, options: { readonly readOnly: boolean }): Answer<Connection>;
}

interface Connection {
  exec(sql: string): Answer<void>;
  prepare(sql: string): Answer<Statement>;
  close(): Answer<void>;
}

interface Statement {
  run(parameters: readonly Value[]): Answer<void>;
  all(parameters: readonly Value[]): Answer<readonly Row[]>;
}

type Answer<T> = T | Promise<T>;
type Value = string | number | null;
type Row = readonly (Value | Uint8Array)[];

export interface SqliteFault {
  /** SQLite's result code; 13 is a full disk, 10 a device that fails, 5 a lock. @defaultValue 13 */
  readonly resultCode?: number;
  /**
   * Whether the whole transaction is rolled back at once, as SQLite does after some failures of the disk.
   *
   * @defaultValue false
   */
  readonly rollsBack?: boolean;
}

export interface FaultySqliteClient extends Client {
  /** Makes the nth statement from now on fail (1 is the next); ROLLBACK never does. */
  failStatement(nth: number, fault?: SqliteFault): ArmedFault;
}

/** A client whose statements fail when a test says so, with errors like those of SQLite. */
export function faultySqliteClient(client: Client): FaultySqliteClient {
  requireKind('faultySqliteClient: client', client, objectWith('an SQLite client', 'open'));
  const faults = new FaultPlan();
  return {
    encrypted: client.encrypted,
    open: async (path, options) => new FaultyConnection(await client.open(path, options), faults),
    failStatement: (nth, fault = {}) => {
      requireKind('failStatement: nth', nth, COUNT);
      requireKind('failStatement: fault', fault, OBJECT);
      return faults.arm(nth, fault);
    },
  };
}

class FaultPlan {
  #remaining = 0;
  #fault: SqliteFault = {};

  arm(nth: number, fault: SqliteFault): ArmedFault {
    this.#remaining = nth;
    this.#fault = fault;
    return {
      hasStruck: () => this.#remaining === 0,
      disarm: () => {
        // A fault that has not struck must not look as if it had.
        if (this.#remaining > 0) this.#remaining = -1;
      },
    };
  }

  /** The fault that strikes this statement. */
  next(sql: string): SqliteFault | undefined {
    if (sql === 'ROLLBACK' || this.#remaining <= 0) return undefined;
    this.#remaining -= 1;
    return this.#remaining === 0 ? this.#fault : undefined;
  }
}

class FaultyConnection implements Connection {
  readonly #connection: Connection;
  readonly #faults: FaultPlan;

  constructor(connection: Connection, faults: FaultPlan) {
    this.#connection = connection;
    this.#faults = faults;
  }

  exec(sql: string): Answer<void> {
    this.#strike(sql);
    return this.#connection.exec(sql);
  }

  async prepare(sql: string): Promise<Statement> {
    const statement = await this.#connection.prepare(sql);
    return {
      run: (parameters) => {
        this.#strike(sql);
        return statement.run(parameters);
      },
      all: (parameters) => {
        this.#strike(sql);
        return statement.all(parameters);
      },
    };
  }

  close(): Answer<void> {
    return this.#connection.close();
  }

  #strike(sql: string): void {
    const fault = this.#faults.next(sql);
    if (fault === undefined) return;
    const { resultCode = 13, rollsBack = false } = fault;
    if (rollsBack) this.#rollBack();
    throw Object.assign(new Error(`injected failure ${resultCode}`), { errcode: resultCode });
  }

  #rollBack(): void {
    try {
      void this.#connection.exec('ROLLBACK');
    } catch {
      // There was no transaction yet.
    }
  }
}
