import { StoreError } from '../model/errors.ts';
import { emptyRow, type RowRecord } from '../queue/records.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import { afterMutation, requireSameId, type Mutation } from './mutation.ts';

/**
 * Keeps a write here without ever sending it.
 *
 * @throws StoreError `store/has-pending`, `store/not-found`, `store/signed-out`; nothing was changed
 */
export async function storeLocally(
  uow: UnitOfWork,
  partition: number,
  mutation: Mutation,
): Promise<void> {
  uow.requireOpen(partition);
  const row = requireIdle(
    await uow.row(partition, mutation.collection, mutation.id),
    partition,
    mutation,
  );
  const text = afterMutation(row.value, mutation);
  if (text === null) uow.deleteRow(row);
  else uow.putRow({ ...row, value: text });
}

/**
 * The row of an entity that no entry waits for.
 *
 * @throws StoreError `store/has-pending`, `store/not-found`
 * @throws UsageError `usage/invalid-argument`
 */
export function requireIdle(
  row: RowRecord | undefined,
  partition: number,
  mutation: Mutation,
): RowRecord {
  const { collection, id, kind } = mutation;
  if (row !== undefined && row.depth > 0) {
    throw new StoreError(
      'store/has-pending',
      `${collection} ${String(id)} has writes waiting in the queue: sync first`,
    );
  }
  if (kind === 'patch' && (row === undefined || row.value === null)) {
    throw new StoreError('store/not-found', `there is no ${collection} ${String(id)} to patch`);
  }
  if (row !== undefined) requireSameId(row.value, mutation);
  return row ?? emptyRow(partition, collection, id);
}
