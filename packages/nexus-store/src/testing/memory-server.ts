import type { EntityId, Operation } from '../core/model/entry.ts';
import { FUNCTION, NAME, OBJECT, requireKind } from '../core/model/arguments.ts';
import { RemoteError } from '../core/model/errors.ts';
import type { Outcome, SyncFailure } from '../core/model/outcome.ts';
import { encodeValue, fromWire, wireJson } from '../core/model/value-codec.ts';
import { requireId } from '../core/store/mutation.ts';
import type { OutgoingEntry, PulledRow, PullPage, PullRequest } from '../core/ports/remote.ts';

/** A mutation that the server applied. */
export interface AppliedMutation {
  /** Counts from 1 over all users. */
  readonly arrival: number;
  readonly principal: string | null;
  readonly idempotencyKey: string;
  readonly entryId: string;
  readonly collection: string;
  readonly entityId: EntityId;
  readonly operation: Operation;
  readonly command: string | null;
  /** As the server got it, decoded. */
  readonly payload: unknown;
  readonly version: string | null;
}

/**
 * The new value of an entity from its value (undefined if there is none) and the command's arguments;
 * undefined answers a conflict with nothing. Throws to reject.
 */
export type MemoryCommand = (value: unknown, args: unknown) => unknown;

interface Row {
  readonly change: number;
  /** JSON text as it came over the wire; null for a tombstone. */
  readonly json: string | null;
  readonly operationId: string | null;
}

interface Known {
  readonly fingerprint: string;
  readonly outcome: Outcome;
}

interface Tenant {
  readonly rows: Map<string, Row>;
  readonly keys: Map<string, Known>;
  change: number;
}

type Hint = (collection: string | null) => void;

const increment: MemoryCommand = (value, args) => {
  if (value === undefined) return undefined;
  const { field, by } = args as { field: string; by: number };
  const fields = value as Record<string, number>;
  return { ...fields, [field]: (fields[field] ?? 0) + by };
};

/**
 * An honest model of a sync server in memory, with the semantics of the wire protocol: idempotency keys,
 * versions, groups all or nothing, cursors, tombstones. Each principal has data of their own. Several
 * remotes may share one server, as several devices do.
 */
export class MemoryServer {
  readonly #tenants = new Map<string | null, Tenant>();
  readonly #applied: AppliedMutation[] = [];
  readonly #listeners = new Map<Hint, string | null>();
  readonly #commands: ReadonlyMap<string, MemoryCommand>;
  #horizon = 0;
  #replayCount = 0;

  constructor(commands: Readonly<Record<string, MemoryCommand>> = {}) {
    requireKind('MemoryServer: commands', commands, OBJECT);
    for (const [name, command] of Object.entries(commands))
      requireKind(`MemoryServer: command ${name}`, command, FUNCTION);
    this.#commands = new Map(Object.entries({ increment, ...commands }));
  }

  /** Everything that clients had applied, in the order of arrival. */
  get applied(): readonly AppliedMutation[] {
    return this.#applied;
  }

  /** How often a key came again after it was applied. */
  get replayCount(): number {
    return this.#replayCount;
  }

  /** The value of an entity, undefined if there is none. */
  value(collection: string, id: EntityId, principal: string | null = null): unknown {
    const json = this.#tenant(principal).rows.get(rowKey(collection, id))?.json;
    return typeof json === 'string' ? fromWire(JSON.parse(json)) : undefined;
  }

  version(collection: string, id: EntityId, principal: string | null = null): string | undefined {
    const row = this.#tenant(principal).rows.get(rowKey(collection, id));
    return row === undefined ? undefined : String(row.change);
  }

  /** Changes an entity as another client would; undefined deletes it. Returns the new version. */
  set(collection: string, id: EntityId, value: unknown, principal: string | null = null): string {
    requireKind('set: collection', collection, NAME);
    requireId(id, 'set');
    const tenant = this.#tenant(principal);
    const json = value === undefined ? null : wireJson(encodeValue(value));
    const version = put(tenant, rowKey(collection, id), json, null);
    this.#notify(principal, collection);
    return version;
  }

  /** Every cursor given out so far is refused from now on. */
  expireCursors(): void {
    this.#horizon += 1;
  }

  /** One outcome for each entry, in order. */
  push(batch: readonly OutgoingEntry[], principal: string | null, at: number): readonly Outcome[] {
    const tenant = this.#tenant(principal);
    const failed = new Set<string>();
    const outcomes: Outcome[] = [];
    for (const unit of unitsOf(batch)) {
      for (const [index, outcome] of this.#unit(unit, tenant, failed, principal, at).entries()) {
        const entry = unit[index] as OutgoingEntry;
        if (outcome.kind !== 'applied') failed.add(rowKey(entry.collection, entry.entityId));
        outcomes.push(outcome);
      }
    }
    for (const collection of new Set(batch.map((entry) => entry.collection))) {
      this.#notify(principal, collection);
    }
    return outcomes;
  }

  /** @throws RemoteError `remote/cursor-expired` */
  pull(request: PullRequest, principal: string | null): PullPage {
    const tenant = this.#tenant(principal);
    const position = this.#position(request.cursor);
    const changes = [...tenant.rows]
      .filter(([key, row]) => collectionOf(key) === request.collection && row.change > position)
      .sort(([, a], [, b]) => a.change - b.change);
    const page = changes.slice(0, request.limit);
    const hasMore = page.length < changes.length;
    const end = hasMore ? (page.at(-1)?.[1].change ?? position) : tenant.change;
    return { rows: page.map(pulledRow), cursor: `${this.#horizon}:${end}`, hasMore };
  }

  /** Calls `onHint` with the collection whenever something of the principal changed. */
  subscribe(onHint: Hint, principal: string | null): () => void {
    this.#listeners.set(onHint, principal);
    return () => void this.#listeners.delete(onHint);
  }

  #position(cursor: string | null): number {
    if (cursor === null) return 0;
    const [horizon, position] = cursor.split(':').map(Number);
    if (horizon === this.#horizon && position !== undefined) return position;
    throw new RemoteError('remote/cursor-expired', 'the cursor has expired', { status: 410 });
  }

  #unit(
    unit: readonly OutgoingEntry[],
    tenant: Tenant,
    failed: ReadonlySet<string>,
    principal: string | null,
    at: number,
  ): readonly Outcome[] {
    const before = {
      rows: new Map(tenant.rows),
      keys: new Map(tenant.keys),
      change: tenant.change,
    };
    const arrivals = this.#applied.length;
    const outcomes: Outcome[] = [];
    for (const entry of unit) {
      const outcome = this.#entry(entry, tenant, failed, principal, at);
      outcomes.push(outcome);
      if (outcome.kind !== 'applied') break;
    }
    const guilty = outcomes.length - 1;
    const last = outcomes[guilty];
    if (last === undefined || last.kind === 'applied') return outcomes;
    restore(tenant, before);
    this.#applied.length = arrivals;
    return unit.map((entry, index) => {
      if (index === guilty) return last;
      return tenant.keys.get(entry.idempotencyKey)?.outcome ?? notNow(424, 'the group failed', at);
    });
  }

  #entry(
    entry: OutgoingEntry,
    tenant: Tenant,
    failed: ReadonlySet<string>,
    principal: string | null,
    at: number,
  ): Outcome {
    const known = tenant.keys.get(entry.idempotencyKey);
    if (known !== undefined) {
      this.#replayCount += 1;
      return known.fingerprint === fingerprint(entry)
        ? known.outcome
        : rejected(422, 'the key was used for another operation', at);
    }
    if (failed.has(rowKey(entry.collection, entry.entityId))) {
      return notNow(424, 'an earlier operation of the entity was not applied', at);
    }
    const outcome = this.#effect(entry, tenant, at);
    if (outcome.kind !== 'applied') return outcome;
    tenant.keys.set(entry.idempotencyKey, { fingerprint: fingerprint(entry), outcome });
    this.#applied.push(mutationOf(entry, this.#applied.length + 1, principal, outcome.version));
    return outcome;
  }

  #effect(entry: OutgoingEntry, tenant: Tenant, at: number): Outcome {
    const key = rowKey(entry.collection, entry.entityId);
    const row = tenant.rows.get(key);
    const json = row?.json ?? null;
    const write = (text: string | null): Outcome => {
      return { kind: 'applied', version: put(tenant, key, text, entry.idempotencyKey) };
    };
    if (entry.operation === 'command') return this.#command(entry, row, write, at);
    if (entry.operation === 'create') {
      return json === null ? write(entry.payloadJson ?? 'null') : conflict(row, at);
    }
    if (json === null) {
      return entry.operation === 'delete' ? { kind: 'applied' } : conflict(row, at);
    }
    if (entry.baseVersion !== null && entry.baseVersion !== String(row?.change)) {
      return conflict(row, at);
    }
    if (entry.operation === 'delete') return write(null);
    if (!entry.isPatch) return write(entry.payloadJson ?? 'null');
    const merged = { ...(decode(json) as object), ...(decode(entry.payloadJson) as object) };
    return { ...write(wireJson(encodeValue(merged))), value: merged } as Outcome;
  }

  #command(
    entry: OutgoingEntry,
    row: Row | undefined,
    write: (json: string) => Outcome,
    at: number,
  ): Outcome {
    const handler = this.#commands.get(entry.command ?? '');
    if (handler === undefined) return rejected(422, `no command ${entry.command}`, at);
    let value: unknown;
    try {
      value = handler(decode(row?.json ?? null), decode(entry.payloadJson));
    } catch (error) {
      return rejected(422, error instanceof Error ? error.message : 'refused', at);
    }
    if (value === undefined) return conflict(row, at);
    return { ...write(wireJson(encodeValue(value))), value } as Outcome;
  }

  #tenant(principal: string | null): Tenant {
    const known = this.#tenants.get(principal);
    if (known !== undefined) return known;
    const tenant = { rows: new Map(), keys: new Map(), change: 0 };
    this.#tenants.set(principal, tenant);
    return tenant;
  }

  #notify(principal: string | null, collection: string): void {
    for (const [onHint, owner] of this.#listeners) if (owner === principal) onHint(collection);
  }
}

/** A number and a string are different ids, as in the store. */
const rowKey = (collection: string, id: EntityId): string => JSON.stringify([collection, id]);
const collectionOf = (key: string): string => (JSON.parse(key) as [string, EntityId])[0];

function unitsOf(batch: readonly OutgoingEntry[]): readonly (readonly OutgoingEntry[])[] {
  const units: OutgoingEntry[][] = [];
  for (const entry of batch) {
    const last = units.at(-1);
    if (entry.group !== null && last?.[0]?.group === entry.group) last.push(entry);
    else units.push([entry]);
  }
  return units;
}

function put(tenant: Tenant, key: string, json: string | null, operationId: string | null): string {
  tenant.change += 1;
  tenant.rows.set(key, { change: tenant.change, json, operationId });
  return String(tenant.change);
}

function restore(tenant: Tenant, to: Tenant): void {
  tenant.rows.clear();
  tenant.keys.clear();
  for (const [key, row] of to.rows) tenant.rows.set(key, row);
  for (const [key, known] of to.keys) tenant.keys.set(key, known);
  tenant.change = to.change;
}

const decode = (json: string | null): unknown =>
  json === null ? undefined : fromWire(JSON.parse(json));

function fingerprint(entry: OutgoingEntry): string {
  const { collection, entityId, operation, isPatch, command, payloadJson } = entry;
  return JSON.stringify([collection, entityId, operation, isPatch, command, payloadJson]);
}

function pulledRow([key, row]: readonly [string, Row]): PulledRow {
  return {
    id: (JSON.parse(key) as [string, EntityId])[1],
    version: String(row.change),
    value: decode(row.json),
    isDeleted: row.json === null,
    operationId: row.operationId,
  };
}

function mutationOf(
  entry: OutgoingEntry,
  arrival: number,
  principal: string | null,
  version: string | undefined,
): AppliedMutation {
  const { idempotencyKey, id: entryId, collection, entityId, operation, command } = entry;
  return {
    arrival,
    principal,
    idempotencyKey,
    entryId,
    collection,
    entityId,
    operation,
    command,
    payload: decode(entry.payloadJson),
    version: version ?? null,
  };
}

function failure(status: number, detail: string, at: number): SyncFailure {
  return { code: status === 424 ? 'remote/server' : 'remote/rejected', status, detail, at };
}

function rejected(status: number, detail: string, at: number): Outcome {
  return { kind: 'rejected', failure: failure(status, detail, at) };
}

function notNow(status: number, detail: string, at: number): Outcome {
  const why = failure(status, detail, at);
  return { kind: 'retry', scope: 'entry', ambiguous: false, failure: why };
}

function conflict(row: Row | undefined, at: number): Outcome {
  const why = failure(409, 'the server has another version', at);
  const remote = decode(row?.json ?? null) ?? null;
  return {
    kind: 'conflict',
    remote,
    ...(row !== undefined && { version: String(row.change) }),
    failure: why,
  };
}
