import type { CollectionRules } from '../queue/collection-rules.ts';
import { rebaseOnPull } from '../queue/conflict.ts';
import type { RowRecord } from '../queue/records.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';

const CHUNK = 500;

/**
 * After everything was fetched anew: rows that the server knew once and did not bring are gone there.
 */
export async function sweepRows(
  uow: UnitOfWork,
  partition: number,
  collection: string,
  sweepFrom: number,
  rules: CollectionRules,
): Promise<void> {
  for await (const row of rowsOf(uow, partition, collection)) {
    // Without version and time of fetching it was never on the server: it is only here.
    if (row.version === null && row.fetchedAt === null) continue;
    if ((row.fetchedAt ?? 0) >= sweepFrom) continue;
    if (row.depth === 0) uow.deleteRow(row);
    else if (row.version !== null || row.shadow !== null)
      await rebaseOnPull(uow, row, { value: null, version: null }, false, rules);
  }
}

/** The latest time at which any row of a collection was fetched; 0 if none was. */
export async function latestFetch(
  uow: UnitOfWork,
  partition: number,
  collection: string,
): Promise<number> {
  let latest = 0;
  for await (const { fetchedAt } of rowsOf(uow, partition, collection)) {
    latest = Math.max(latest, fetchedAt ?? 0);
  }
  return latest;
}

async function* rowsOf(
  uow: UnitOfWork,
  partition: number,
  collection: string,
): AsyncGenerator<RowRecord> {
  let after: RowRecord['id'] | undefined;
  for (;;) {
    const rows = (await uow.scan('rows', {
      prefix: [partition, collection],
      ...(after === undefined ? {} : { from: [after], fromOpen: true }),
      limit: CHUNK,
    })) as unknown as readonly RowRecord[];
    yield* rows;
    if (rows.length < CHUNK) return;
    after = rows.at(-1)?.id;
  }
}
