import { ProblemType, PROBLEM_CONTENT_TYPE, PROTOCOL_CONTENT_TYPE } from 'nexus-store/http';
import type { WireOperation, WireProblem, WireResult } from 'nexus-store/http';

/** What a request brings back. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** An operation that took effect. */
export interface Applied {
  readonly principal: string;
  readonly operation: WireOperation;
  /** What the key stands for. */
  readonly fingerprint: string;
  readonly version: string | null;
  readonly value: unknown;
  /** The number of the last change of the entity by another device, up to this one; 0: there was none. */
  readonly foreign: number;
}

interface Row {
  readonly value: unknown;
  readonly change: number;
  readonly operationId: string | null;
  /** The number of the last change by another device; 0: there was none. */
  readonly foreign: number;
  /** Monotonic milliseconds. */
  readonly at: number;
}

/** What one user has. */
interface Account {
  readonly rows: Map<string, Row>;
  change: number;
  /** Deletions up to this change are forgotten. */
  forgotten: number;
}

const ROWS_OF_A_PAGE = 7;

/** Told of everything that takes effect, before it is answered. */
export interface ServerWitness {
  onApplied(applied: Applied): void;
  /** Not applied, for a reason that the client may settle without sending it again. */
  onRefused(principal: string, operation: WireOperation, status: 'conflict' | 'rejected'): void;
}

/** The protocol's server, as simple as it can be: maps, and no failures of its own. */
export class ModelServer {
  readonly #accounts = new Map<string, Account>();
  readonly #applied = new Map<string, Applied>();
  readonly #witness: ServerWitness;
  readonly #elapsed: () => number;

  /** @param elapsed the monotonic clock */
  constructor(witness: ServerWitness, elapsed: () => number) {
    this.#witness = witness;
    this.#elapsed = elapsed;
  }

  /** What a key of a user did; undefined if it did nothing yet. */
  applied(principal: string, key: string): Applied | undefined {
    return this.#applied.get(`${principal}\n${key}`);
  }

  /** The entities of a user as they stand: key is collection, a line break, the id as JSON. */
  rows(principal: string): ReadonlyMap<string, unknown> {
    const found = new Map<string, unknown>();
    for (const [ref, { value }] of this.#account(principal).rows) {
      if (value !== null) found.set(ref, value);
    }
    return found;
  }

  push(principal: string, operations: readonly WireOperation[]): Answer {
    const failed = new Set<string>();
    const results: WireResult[] = [];
    for (let from = 0; from < operations.length;) {
      const group = operations[from]?.group;
      let to = from + 1;
      while (group !== undefined && operations[to]?.group === group) to += 1;
      results.push(...this.#unit(principal, operations.slice(from, to), failed));
      from = to;
    }
    return protocolAnswer({ protocol: 1, results });
  }

  pull(principal: string, collection: string, limit: number, cursor: string | null): Answer {
    const account = this.#account(principal);
    const [position, since] =
      cursor === null ? [0, account.change] : (cursor.split('.').map(Number) as [number, number]);
    // While a first pull is under way, deletions older than its beginning never concerned it.
    if (Math.max(position, since) < account.forgotten && cursor !== null) {
      return problemAnswer(410, ProblemType.cursorExpired);
    }
    const changed = [...account.rows]
      .filter(([ref, row]) => ref.startsWith(`${collection}\n`) && row.change > position)
      .toSorted(([, a], [, b]) => a.change - b.change);
    const page = changed.slice(0, Math.min(limit, ROWS_OF_A_PAGE));
    const more = page.length < changed.length;
    const rows: unknown[] = [];
    const tombstones: unknown[] = [];
    for (const [ref, { value, change, operationId }] of page) {
      const id: unknown = JSON.parse(ref.slice(ref.indexOf('\n') + 1));
      const head = { id, version: `v${change}`, operationId };
      if (value === null) tombstones.push(head);
      else rows.push({ ...head, value });
    }
    const next = more ? (page.at(-1)?.[1].change ?? position) : account.change;
    return protocolAnswer({ protocol: 1, rows, tombstones, cursor: `${next}.${since}`, more });
  }

  /** Another device of the user changes an entity; null deletes it. */
  edit(principal: string, collection: string, id: string, value: unknown): void {
    const ref = refOf(collection, id);
    if (value === null && this.#value(principal, ref) === null) return;
    this.#put(principal, ref, value, null);
  }

  /** Deletions of this age are forgotten, and with them the cursors from before. */
  expireCursors(ageMs: number): void {
    const until = this.#elapsed() - ageMs;
    for (const account of this.#accounts.values()) {
      for (const [ref, { value, change, at }] of account.rows) {
        if (value !== null || at > until) continue;
        account.rows.delete(ref);
        account.forgotten = Math.max(account.forgotten, change);
      }
      if (ageMs > 0) continue;
      account.change += 1;
      account.forgotten = account.change;
    }
  }

  #unit(
    principal: string,
    operations: readonly WireOperation[],
    failed: Set<string>,
  ): readonly WireResult[] {
    const account = this.#account(principal);
    const before = { rows: new Map(account.rows), change: account.change };
    const applied: Applied[] = [];
    let guilty: WireResult | undefined;
    const results: WireResult[] = [];
    for (const operation of operations) {
      const result = this.#one(principal, operation, failed, applied);
      results.push(result);
      if (result.status === 'applied') continue;
      guilty = result;
      break;
    }
    if (guilty === undefined) {
      for (const one of applied) this.#remember(one);
      return results;
    }
    account.rows.clear();
    for (const [ref, row] of before.rows) account.rows.set(ref, row);
    account.change = before.change;
    for (const operation of operations) {
      failed.add(refOf(operation.collection, operation.entityId));
      const { status } = guilty;
      const isGuilty = operation.id === guilty.id;
      if (isGuilty && (status === 'conflict' || status === 'rejected')) {
        this.#witness.onRefused(principal, operation, status);
      }
    }
    return operations.map((operation) =>
      operation.id === guilty.id ? guilty : this.#innocent(principal, operation),
    );
  }

  #innocent(principal: string, operation: WireOperation): WireResult {
    const known = this.applied(principal, operation.idempotencyKey);
    if (known !== undefined) return appliedResult(operation, known);
    return { id: operation.id, status: 'retry', problem: problemOf(424, ProblemType.groupFailed) };
  }

  #one(
    principal: string,
    operation: WireOperation,
    failed: ReadonlySet<string>,
    applied: Applied[],
  ): WireResult {
    const { id } = operation;
    const reject = (type: ProblemType): WireResult => ({
      id,
      status: 'rejected',
      problem: problemOf(422, type),
    });
    const fingerprint = fingerprintOf(operation);
    const known = this.applied(principal, operation.idempotencyKey);
    if (known !== undefined) {
      if (known.fingerprint !== fingerprint) return reject(ProblemType.keyReused);
      return appliedResult(operation, known);
    }
    const ref = refOf(operation.collection, operation.entityId);
    if (failed.has(ref)) {
      return { id, status: 'retry', problem: problemOf(424, ProblemType.predecessorFailed) };
    }
    if (isBad(operation.payload)) return reject(ProblemType.refused);
    const account = this.#account(principal);
    const current = this.#value(principal, ref);
    const version = this.#version(principal, ref);
    const conflict = (): WireResult => ({
      id,
      status: 'conflict',
      remote: current,
      ...(version === null ? {} : { version }),
    });
    const { operation: kind, payload } = operation;
    let value: unknown;
    let isTold = false;
    if (kind === 'create') {
      if (current !== null) return conflict();
      value = payload;
    } else if (kind === 'command') {
      if (operation.command !== 'add') return reject(ProblemType.unknownCommand);
      if (current === null) return conflict();
      value = addTokens(current, payload);
      isTold = true;
    } else if (current === null) {
      if (kind === 'update') return conflict();
      applied.push({ principal, operation, fingerprint, version, value: undefined, foreign: 0 });
      return { id, status: 'applied', ...(version === null ? {} : { version }) };
    } else {
      if (operation.base !== undefined && operation.base !== version) return conflict();
      if (kind === 'delete') value = null;
      else
        value =
          operation.patch === true ? { ...(current as object), ...(payload as object) } : payload;
      isTold = operation.patch === true;
    }
    // The answer to a command shows all there is.
    const isUnconditional =
      kind === 'create' || isTold || (kind === 'delete' && operation.base === undefined);
    this.#put(principal, ref, value, operation.idempotencyKey, isUnconditional);
    const done: Applied = {
      principal,
      operation,
      fingerprint,
      version: this.#version(principal, ref),
      value: isTold ? value : undefined,
      foreign: account.rows.get(ref)?.foreign ?? 0,
    };
    applied.push(done);
    return appliedResult(operation, done);
  }

  #remember(applied: Applied): void {
    const { principal, operation } = applied;
    this.#applied.set(`${principal}\n${operation.idempotencyKey}`, applied);
    this.#witness.onApplied(applied);
  }

  #account(principal: string): Account {
    let account = this.#accounts.get(principal);
    if (account === undefined) {
      account = { rows: new Map(), change: 0, forgotten: 0 };
      this.#accounts.set(principal, account);
    }
    return account;
  }

  #value(principal: string, ref: string): unknown {
    return this.#account(principal).rows.get(ref)?.value ?? null;
  }

  #version(principal: string, ref: string): string | null {
    const row = this.#account(principal).rows.get(ref);
    return row === undefined ? null : `v${row.change}`;
  }

  /** @param isUnconditional whatever stood there was not to be looked at */
  #put(
    principal: string,
    ref: string,
    value: unknown,
    operationId: string | null,
    isUnconditional = false,
  ): void {
    const account = this.#account(principal);
    account.change += 1;
    const { change } = account;
    const before = isUnconditional ? 0 : (account.rows.get(ref)?.foreign ?? 0);
    const foreign = operationId === null ? change : before;
    account.rows.set(ref, { value, change, operationId, foreign, at: this.#elapsed() });
  }
}

export function refOf(collection: string, id: string | number): string {
  return `${collection}\n${JSON.stringify(id)}`;
}

/** What may not change for one key. */
export function fingerprintOf(operation: WireOperation): string {
  const { collection, entityId, operation: kind, patch, command, payload } = operation;
  return JSON.stringify([
    collection,
    entityId,
    kind,
    patch ?? false,
    command ?? null,
    kind === 'delete' ? null : payload,
  ]);
}

/** What the command `add` does, here and in the app. */
export function addTokens(value: unknown, args: unknown): unknown {
  const { log = [] } = value as { log?: readonly number[] };
  return { ...(value as object), log: [...log, ...(args as { tokens: readonly number[] }).tokens] };
}

function isBad(payload: unknown): boolean {
  return typeof payload === 'object' && payload !== null && 'bad' in payload;
}

function appliedResult(operation: WireOperation, { version, value }: Applied): WireResult {
  return {
    id: operation.id,
    status: 'applied',
    ...(version === null ? {} : { version }),
    ...(value === undefined ? {} : { value }),
  };
}

function problemOf(status: number, type: ProblemType): WireProblem {
  return { type, title: type, status };
}

function protocolAnswer(body: unknown): Answer {
  return {
    status: 200,
    headers: { 'content-type': PROTOCOL_CONTENT_TYPE },
    body: JSON.stringify(body),
  };
}

export function problemAnswer(
  status: number,
  type: ProblemType,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return {
    status,
    headers: { 'content-type': PROBLEM_CONTENT_TYPE, ...headers },
    body: JSON.stringify(problemOf(status, type)),
  };
}
