import { retryEntry } from '../queue/control.ts';
import { findEntry, place } from '../queue/lanes.ts';
import { detailOf } from '../queue/records.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import type { Refund } from './outcome-policy.ts';
import type { SyncContext } from './sync-context.ts';

/**
 * Gives entries the attempt back that the endpoint cost them, and brings the buried ones back to life.
 *
 * @returns how many were brought back
 */
export async function refundEntries(
  context: SyncContext,
  uow: UnitOfWork,
  partition: number,
  refunds: readonly Refund[],
): Promise<number> {
  const { runtime, limits, rulesOf } = context;
  let revived = 0;
  for (const { seq, expiresAt } of refunds) {
    const entry = await findEntry(uow, partition, seq);
    if (entry === undefined || entry.state === 'conflict') continue;
    const attempts = Math.max(0, entry.attempts - 1);
    if (entry.state === 'dead') {
      // One that left its lane stays a dead letter, to be retried by people: newer writes, and what came
      // after it, may have gone on without it.
      if (detailOf(entry).isDetached === true) continue;
      revived += 1;
      await retryEntry(uow, partition, seq, () => runtime.ids.uuid(), limits, rulesOf);
      const again = await findEntry(uow, partition, seq);
      // Unlike someone who retries on purpose, a refund changes nothing else.
      if (again !== undefined) uow.putEntry({ ...again, attempts, expiresAt });
      continue;
    }
    const refunded = { ...entry, attempts, notBefore: null };
    uow.putEntry(refunded);
    await place(uow, refunded);
  }
  return revived;
}
