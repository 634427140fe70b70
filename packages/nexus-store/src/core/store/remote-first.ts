import { RemoteError, type RemoteErrorCode } from '../model/errors.ts';
import type { Outcome } from '../model/outcome.ts';
import { decodeValue, encodeValue, wireJson } from '../model/value-codec.ts';
import type { OutgoingEntry, RemoteContext } from '../ports/remote.ts';
import { rebaseOnPull } from '../queue/conflict.ts';
import { emptyRow, type RowRecord } from '../queue/records.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import { checkedOutcomes, unusable } from '../sync/outcome-check.ts';
import { limitedSignal, withPatience } from '../sync/patience.ts';
import { CLOSING_MS, type RunWindow } from '../sync/run-window.ts';
import { ABORT_GRACE_MS } from '../sync/send-batch.ts';
import type { Principal } from '../sync/sync-context.ts';
import type { BackendCore } from './backend-core.ts';
import { requireIdle } from './local-write.ts';
import { afterMutation, type Mutation } from './mutation.ts';

/**
 * Sends a write at once and keeps it here only when the server has acknowledged it.
 *
 * @throws StoreError `store/has-pending` if earlier writes of the entity still wait in the queue
 * @throws RemoteError when the server did not take it; nothing was kept
 */
export async function writeRemoteFirst(core: BackendCore, mutation: Mutation): Promise<void> {
  const budgetMs = core.context.options.requestTimeoutMs + CLOSING_MS;
  await core.engine.direct(budgetMs, (window, principal) =>
    writeAs(core, mutation, window, principal),
  );
}

async function writeAs(
  core: BackendCore,
  mutation: Mutation,
  window: RunWindow,
  principal: Principal,
): Promise<void> {
  const { partition } = principal;
  const { collection, id } = mutation;
  const stored = await core.writer.read((uow) => uow.row(partition, collection, id));
  const row = requireIdle(stored, partition, mutation);
  const started = core.engine.beginRequest();
  const outcome = await pushOne(core, outgoingEntry(core, mutation, row), window, principal);
  await core.engine.learn(outcome, started, window);
  if (outcome.kind !== 'applied') throw refusal(outcome);
  const { version = null, value } = outcome;
  await core.writer.write((uow) => storeApplied(core, uow, partition, mutation, version, value), {
    rows: [{ partition, collection, id }],
  });
}

/** One request, which neither hangs nor throws. */
async function pushOne(
  { runtime, remote, engine }: BackendCore,
  entry: OutgoingEntry,
  window: RunWindow,
  principal: Principal,
): Promise<Outcome> {
  const { clock, timers } = runtime;
  const { signal, release } = limitedSignal(timers, window.signal, window.leftMs);
  const maySend = (): boolean => window.leftMs > 0 && engine.mayCall;
  const context: RemoteContext = { signal, maySend, now: clock.now(), principal: principal.id };
  const push = async (): Promise<readonly Outcome[]> =>
    checkedOutcomes(await remote.push([entry], context), 1, clock.now());
  try {
    const late = (): readonly Outcome[] => unusable(1, 'remote/timeout', clock.now());
    const [outcome] = await withPatience(timers, push(), signal, ABORT_GRACE_MS, late);
    return outcome as Outcome;
  } catch (error) {
    throw new RemoteError('remote/protocol', 'the remote threw', { cause: error });
  } finally {
    release();
  }
}

/** What the server has now. Writes that were queued meanwhile are laid over it. */
async function storeApplied(
  core: BackendCore,
  uow: UnitOfWork,
  partition: number,
  mutation: Mutation,
  version: string | null,
  value: unknown,
): Promise<void> {
  const { collection, id, rules } = mutation;
  const row = (await uow.row(partition, collection, id)) ?? emptyRow(partition, collection, id);
  const before = row.depth === 0 ? row.value : row.shadow;
  const text =
    value === undefined
      ? afterMutation(before, mutation)
      : value === null
        ? null
        : encodeValue(value);
  const fetched = { ...row, fetchedAt: core.runtime.clock.now() };
  if (row.depth > 0) await rebaseOnPull(uow, fetched, { value: text, version }, false, rules);
  else if (text === null) uow.deleteRow(row);
  else uow.putRow({ ...fetched, value: text, version });
}

function outgoingEntry(core: BackendCore, mutation: Mutation, row: RowRecord): OutgoingEntry {
  const { kind, payload } = mutation;
  const isNew = row.value === null;
  return {
    id: 'direct',
    idempotencyKey: core.newKey(),
    collection: mutation.collection,
    entityId: mutation.id,
    operation: kind === 'save' ? (isNew ? 'create' : 'update') : kind === 'patch' ? 'update' : kind,
    command: mutation.command,
    isPatch: kind === 'patch',
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
