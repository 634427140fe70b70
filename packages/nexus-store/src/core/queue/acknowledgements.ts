import type { EntityId } from '../model/entry.ts';
import { isList, readFact } from './facts.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/** Something that the server said of a row, stored in this transaction. */
export interface Acknowledgement {
  readonly partition: number;
  readonly collection: string;
  readonly entity: EntityId;
  /** The idempotency key of what it applied; the empty text if it said something else. */
  readonly key: string;
}

type StoredAcknowledgement = readonly [number, string, EntityId, string];

/** So many transactions are remembered. A page that takes longer is fetched again. */
const KEPT = 64;
/** A queue that is counted anew leaves the records of before behind. */
const MOST = 1_000;
const PREFIX = 'acknowledged';

/**
 * Remembers what the server said of rows that are pulled, in whatever context. A page that was asked for before
 * may be older, and only storage knows what other contexts and direct writes have heard meanwhile.
 */
export function noteAcknowledgements(
  uow: UnitOfWork,
  acknowledgements: readonly Acknowledgement[],
): void {
  if (acknowledgements.length === 0) return;
  const number = uow.state.takeAcknowledgement();
  const stored = acknowledgements.map(
    ({ partition, collection, entity, key }): StoredAcknowledgement => [
      partition,
      collection,
      entity,
      key,
    ],
  );
  const name = nameOf(number);
  uow.put('meta', [name], { name, value: JSON.stringify(stored) });
  if (number > KEPT) uow.delete('meta', [nameOf(number - KEPT)]);
}

/**
 * The keys that the server has acknowledged since the given number, oldest first, by entity.
 *
 * @returns undefined if it was so long ago that nobody knows
 */
export async function acknowledgedSince(
  uow: UnitOfWork,
  since: number,
  partition: number,
  collection: string,
): Promise<ReadonlyMap<EntityId, readonly string[]> | undefined> {
  const last = uow.state.acknowledgements;
  const found = new Map<EntityId, string[]>();
  if (last < since || last - since > KEPT) return undefined;
  for (let number = since + 1; number <= last; number += 1) {
    const stored = await readFact<readonly StoredAcknowledgement[]>(uow, nameOf(number), isList);
    if (stored === undefined) return undefined;
    for (const [itsPartition, itsCollection, entity, key] of stored) {
      if (itsPartition !== partition || itsCollection !== collection) continue;
      const keys = found.get(entity);
      if (keys === undefined) found.set(entity, [key]);
      else keys.push(key);
    }
  }
  return found;
}

/** What was acknowledged to a user who has discarded everything; what stands beside it stays. */
export async function forgetAcknowledgements(uow: UnitOfWork, partition: number): Promise<void> {
  const records = await uow.scan('meta', {
    from: [`${PREFIX}:`],
    to: [`${PREFIX};`],
    limit: MOST,
  });
  for (const { name } of records) {
    const key = name as string;
    const stored = await readFact<readonly StoredAcknowledgement[]>(uow, key, isList);
    const others = stored?.filter(([itsPartition]) => itsPartition !== partition);
    if (others !== undefined && others.length === stored?.length) continue;
    // Without the record nobody knows, and a page on its way is fetched again.
    if (others === undefined) uow.delete('meta', [key]);
    else uow.put('meta', [key], { name: key, value: JSON.stringify(others) });
  }
}

function nameOf(number: number): string {
  return `${PREFIX}:${number}`;
}
