import type { EntityId } from '../model/entry.ts';
import type { CollectionRules } from '../queue/collection-rules.ts';
import { rebaseOnPull } from '../queue/conflict.ts';
import type { RowRecord } from '../queue/records.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';

const CHUNK = 500;

/**
 * After everything was fetched anew: rows that the server knew once and did not bring are gone there.
 *
 * @param isNewer true for entities acknowledged since the last page was asked for
 */
export async function sweepRows(
  uow: UnitOfWork,
  partition: number,
  collection: string,
  sweepFrom: number,
  rules: CollectionRules,
  isNewer: (id: EntityId) => boolean,
): Promise<void> {
  let after: RowRecord['id'] | undefined;
  for (;;) {
    const rows = (await uow.scan('rows', {
      prefix: [partition, collection],
      ...(after === undefined ? {} : { from: [after], fromOpen: true }),
      limit: CHUNK,
    })) as unknown as readonly RowRecord[];
    for (const row of rows) {
      // A row without a time of fetching was never on the server: it is only here.
      if (row.fetchedAt === null || row.fetchedAt >= sweepFrom || isNewer(row.id)) continue;
      if (row.depth === 0) uow.deleteRow(row);
      else if (row.version !== null || row.shadow !== null)
        await rebaseOnPull(uow, row, { value: null, version: null }, false, rules);
    }
    if (rows.length < CHUNK) return;
    after = rows.at(-1)?.id;
  }
}
