import { RemoteError, StoreError, type RemoteErrorCode } from '../model/errors.ts';
import type { Outcome } from '../model/outcome.ts';
import { decodeValue, encodeValue, wireJson } from '../model/value-codec.ts';
import type { OutgoingEntry } from '../ports/remote.ts';
import { applyMutation } from '../queue/fold.ts';
import { emptyRow, type RowRecord } from '../queue/records.ts';
import type { Mutation } from './mutation.ts';
import type { StoreBackend } from './store-backend.ts';

const TIMEOUT_MS = 30_000;

/**
 * Sends a write at once and keeps it here only when the server has acknowledged it.
 *
 * @throws StoreError `store/has-pending` if earlier writes of the entity still wait in the queue
 * @throws RemoteError when the server did not take it; nothing was kept
 */
export async function writeRemoteFirst(backend: StoreBackend, mutation: Mutation): Promise<void> {
  const row = await readIdleRow(backend, mutation);
  const entry = outgoingEntry(backend, mutation, row);
  const controller = new AbortController();
  const cancel = backend.runtime.timers.after(TIMEOUT_MS, () => controller.abort('timeout'));
  let outcome: Outcome | undefined;
  try {
    [outcome] = await backend.remote.push([entry], {
      signal: controller.signal,
      now: backend.runtime.clock.now(),
      principal: backend.principal,
    });
  } finally {
    cancel();
  }
  if (outcome?.kind !== 'applied') throw refusal(outcome);
  const { version = null, value } = outcome;
  await storeServerSide(backend, mutation, version, value);
}

/** Keeps a write here without ever sending it. */
export async function writeLocalOnly(backend: StoreBackend, mutation: Mutation): Promise<void> {
  await readIdleRow(backend, mutation);
  await storeServerSide(backend, mutation, null, undefined);
}

async function readIdleRow(backend: StoreBackend, mutation: Mutation): Promise<RowRecord> {
  const { collection, id } = mutation;
  const row = await backend.writer.read((uow) => uow.row(backend.partition, collection, id));
  if (row !== undefined && row.depth > 0) {
    throw new StoreError(
      'store/has-pending',
      `${collection} ${String(id)} has writes waiting in the queue: sync first`,
    );
  }
  if (mutation.kind === 'patch' && row?.value == null) {
    throw new StoreError('store/not-found', `there is no ${collection} ${String(id)} to patch`);
  }
  return row ?? emptyRow(backend.partition, collection, id);
}

async function storeServerSide(
  backend: StoreBackend,
  mutation: Mutation,
  version: string | null,
  value: unknown,
): Promise<void> {
  const { collection, id, kind, payload, rules } = mutation;
  const { partition } = backend;
  await backend.writer.write(
    async (uow) => {
      const row = (await uow.row(partition, collection, id)) ?? emptyRow(partition, collection, id);
      const operation = kind === 'save' || kind === 'patch' ? ('update' as const) : kind;
      const detail = JSON.stringify({
        isPatch: kind === 'patch',
        command: mutation.command ?? undefined,
      });
      const text =
        value === undefined
          ? applyMutation(row.value, { operation, payload, detail }, rules)
          : encodeValue(value);
      if (text === null) uow.deleteRow(row);
      else uow.putRow({ ...row, value: text, version: version ?? row.version });
    },
    { rows: [{ partition, collection, id }] },
  );
}

function outgoingEntry(backend: StoreBackend, mutation: Mutation, row: RowRecord): OutgoingEntry {
  const { kind, payload } = mutation;
  const isNew = row.value === null;
  return {
    id: 'direct',
    idempotencyKey: backend.runtime.ids.uuid(),
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

function refusal(outcome: Outcome | undefined): RemoteError {
  if (outcome === undefined)
    return new RemoteError('remote/protocol', 'the remote gave no outcome');
  if (outcome.kind === 'conflict')
    return new RemoteError('remote/conflict', 'the server has another version of this');
  if (outcome.kind === 'applied') throw new Error('an applied write is no refusal');
  const { failure } = outcome;
  return new RemoteError(failure.code as RemoteErrorCode, failure.detail ?? failure.code);
}
