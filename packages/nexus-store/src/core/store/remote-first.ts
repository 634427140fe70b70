import { RemoteError, StoreError, type RemoteErrorCode } from '../model/errors.ts';
import type { Outcome } from '../model/outcome.ts';
import { decodeValue, storableText, wireJson } from '../model/value-codec.ts';
import type { OutgoingEntry, RemoteContext } from '../ports/remote.ts';
import { noteAcknowledgements } from '../queue/acknowledgements.ts';
import { hasOtherId } from '../queue/collection-rules.ts';
import { rebaseOnOwn } from '../queue/conflict.ts';
import { isPulledByAny } from '../queue/pulled.ts';
import { emptyRow, type RowRecord } from '../queue/records.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import { checkedOutcomes, unusable } from '../sync/outcome-check.ts';
import { limitedSignal, withPatience } from '../sync/patience.ts';
import { CLOSING_MS, type RunWindow } from '../sync/run-window.ts';
import type { Principal } from '../sync/sync-context.ts';
import type { BackendCore } from './backend-core.ts';
import { requireIdle } from './local-write.ts';
import { afterMutation, operationFor, payloadFor, type Mutation } from './mutation.ts';

/**
 * Sends a write at once and keeps it here only when the server has acknowledged it.
 *
 * @param partition whose write it is
 * @returns the version that it has on the server
 * @throws StoreError `store/has-pending` if earlier writes of the entity still wait in the queue;
 *   `store/signed-out` if another user came before it was sent
 * @throws RemoteError when the server did not take it; nothing was kept
 */
export async function writeRemoteFirst(
  core: BackendCore,
  mutation: Mutation,
  partition: number,
): Promise<string | null> {
  const budgetMs = core.context.options.requestTimeoutMs + CLOSING_MS;
  const { collection, id } = mutation;
  return core.engine.direct(budgetMs, (window, principal) => {
    // A switch of users is waited for. What one has written is never sent as another.
    if (principal.partition !== partition) throw signedOut(mutation);
    return core.directWrites.take(partition, collection, id, () =>
      writeAs(core, mutation, window, principal),
    );
  });
}

function signedOut({ collection, id }: Mutation): StoreError {
  return new StoreError(
    'store/signed-out',
    `another user came before ${collection} ${String(id)} was sent`,
  );
}

async function writeAs(
  core: BackendCore,
  mutation: Mutation,
  window: RunWindow,
  principal: Principal,
): Promise<string | null> {
  if (!window.fits(0))
    throw new RemoteError('remote/timeout', 'earlier writes of this took all the time');
  const { partition } = principal;
  const { collection, id } = mutation;
  const stored = await core.writer.read((uow) => uow.row(partition, collection, id));
  const row = requireIdle(stored, partition, mutation);
  const started = core.engine.beginRequest();
  const entry = outgoingEntry(core, mutation, row);
  const outcome = await pushOne(core, entry, window, principal);
  await core.engine.learn(outcome, started, window);
  if (outcome.kind !== 'applied') throw refusal(outcome);
  const { version = null, value } = outcome;
  const { idempotencyKey: key, baseVersion: base } = entry;
  const isStored = await core.writer.write(
    (uow) => storeApplied(core, uow, partition, mutation, { key, base, version, value }),
    { rows: [{ partition, collection, id }] },
  );
  // What came instead has this write in it, or comes before it.
  if (!isStored) void core.calls.tryFetch(collection);
  return version;
}

/** One request, which neither hangs nor throws. */
async function pushOne(
  { runtime, remote, engine, context: { options } }: BackendCore,
  entry: OutgoingEntry,
  window: RunWindow,
  principal: Principal,
): Promise<Outcome> {
  const { clock, timers } = runtime;
  const timeoutMs = Math.min(options.requestTimeoutMs, window.leftMs);
  const { signal, release } = limitedSignal(timers, window.signal, timeoutMs);
  const maySend = (): boolean => window.leftMs > 0 && engine.mayCall;
  const context: RemoteContext = { signal, maySend, now: clock.now(), principal: principal.id };
  const push = async (): Promise<readonly Outcome[]> =>
    checkedOutcomes(await remote.push([entry], context), 1, clock.now());
  try {
    const late = (): readonly Outcome[] => unusable(1, 'remote/timeout', clock.now());
    const [outcome] = await withPatience(timers, push(), signal, () => window.graceMs, late);
    return outcome as Outcome;
  } catch (error) {
    throw new RemoteError('remote/protocol', 'the remote threw', { cause: error });
  } finally {
    release();
  }
}

interface Applied {
  readonly key: string;
  /** The version of the row that the write was made on. */
  readonly base: string | null;
  readonly version: string | null;
  /** The server's value; undefined if it did not send one. */
  readonly value: unknown;
}

/**
 * What the server has now. Writes that were queued meanwhile are laid over it. False, and nothing was stored,
 * if something else that the server said of the row was stored since the request left: nobody can tell which
 * of both is newer, and a pull will. Where nothing is pulled the server sees at the next write if this is old.
 */
async function storeApplied(
  core: BackendCore,
  uow: UnitOfWork,
  partition: number,
  mutation: Mutation,
  { key, base, version, value }: Applied,
): Promise<boolean> {
  const { collection, id, rules } = mutation;
  const row = (await uow.row(partition, collection, id)) ?? emptyRow(partition, collection, id);
  const isFetched = await isPulledByAny(uow, rules, partition, collection);
  if (row.version !== base && isFetched) return false;
  const before = row.depth === 0 ? row.value : row.shadow;
  const told = hasOtherId(rules, value, id) ? undefined : storableText(value);
  const text = told === undefined ? afterMutation(before, mutation) : told;
  const fetched = { ...row, fetchedAt: uow.state.fetchedAt(core.runtime.clock.now()) };
  if (isFetched) noteAcknowledgements(uow, [{ partition, collection, entity: id, key }]);
  if (row.depth > 0) await rebaseOnOwn(uow, fetched, { value: text, version }, rules, core.newKey);
  else if (text === null) uow.deleteRow(row);
  else uow.putRow({ ...fetched, value: text, version });
  return true;
}

function outgoingEntry(core: BackendCore, mutation: Mutation, row: RowRecord): OutgoingEntry {
  const { kind } = mutation;
  const operation = operationFor(kind, row);
  const payload = payloadFor(operation, row, mutation);
  return {
    id: 'direct',
    idempotencyKey: core.newKey(),
    collection: mutation.collection,
    entityId: mutation.id,
    operation,
    command: mutation.command,
    isPatch: kind === 'patch' && operation === 'update',
    baseVersion: row.version,
    payloadJson: payload === null ? null : wireJson(payload),
    get payload(): unknown {
      return payload === null ? null : decodeValue(payload);
    },
    schemaVersion: mutation.schemaVersion,
    group: null,
    attempts: 0,
  };
}

function refusal(outcome: Exclude<Outcome, { kind: 'applied' }>): RemoteError {
  if (outcome.kind === 'conflict')
    return new RemoteError('remote/conflict', 'the server has another version of this');
  const { code, detail, status } = outcome.failure;
  const retryAfterMs = outcome.kind === 'retry' ? outcome.retryAfterMs : undefined;
  return new RemoteError(code as RemoteErrorCode, detail ?? code, {
    ...(status === undefined ? {} : { status }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}
