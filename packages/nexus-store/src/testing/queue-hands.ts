import type { Claim } from '../core/queue/claim.ts';
import {
  cancelEntry,
  discardEntry,
  retryEntry,
  type CancelResult,
  type RetryResult,
} from '../core/queue/control.ts';
import { closeGroup, enqueueMutation } from '../core/queue/enqueue.ts';
import type { Settlement } from '../core/queue/settle.ts';
import type { MutationWish, QueueFixture } from './queue-fixture.ts';

// What people do to the entries of a queue, for its own tests.

export const failure = { code: 'remote/rejected', status: 400, at: 0 };
export const bury: Settlement = { kind: 'bury', failure, consumesAttempt: true };
export const creates: MutationWish = { operation: 'create' };

export async function claimed(queue: QueueFixture, limit = 1): Promise<Claim> {
  const claim = await queue.claim(limit);
  if (claim === undefined) throw new Error('nothing to claim');
  return claim;
}

export function cancel(queue: QueueFixture, seq: number): Promise<CancelResult> {
  return queue.write((uow) => cancelEntry(uow, 0, seq, queue.rulesOf, queue.now));
}

export function retry(queue: QueueFixture, seq: number): Promise<RetryResult> {
  return queue.write((uow) => retryEntry(uow, 0, seq, queue.newKey, queue.limits, queue.rulesOf));
}

export function discard(queue: QueueFixture, seq: number): Promise<boolean> {
  return queue.write((uow) => discardEntry(uow, 0, seq, queue.rulesOf));
}

export function transaction(queue: QueueFixture, entities: readonly string[]): Promise<void> {
  return queue.write(async (uow) => {
    const detail = { group: `g${uow.state.nextSeq}` };
    const seqs: number[] = [];
    for (const entity of entities) {
      const mutation = queue.mutation(entity, { tx: 1 }, { detail });
      seqs.push((await enqueueMutation(uow, mutation, queue.rules, queue.limits)).seq as number);
    }
    await closeGroup(uow, 0, seqs);
  });
}

export async function buried(queue: QueueFixture): Promise<void> {
  await queue.settle(await claimed(queue), bury);
}
