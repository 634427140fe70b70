import { readFact } from '../queue/facts.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';

// When a user's device was last in step with the server: the record `synced:<partition>` of `meta`. Kept,
// or an app that starts anew would say that it never was. Written in the transactions that end a run anyway.

export async function readSyncedAt(uow: UnitOfWork, partition: number): Promise<number | null> {
  return (await readFact<number>(uow, nameOf(partition), Number.isFinite)) ?? null;
}

/** Nothing that may be sent is left, and what the server has was fetched. */
export function noteSynced(uow: UnitOfWork, partition: number, at: number): void {
  if (uow.state.isClosed(partition)) return;
  const name = nameOf(partition);
  uow.put('meta', [name], { name, value: JSON.stringify(at) });
}

export function forgetSynced(uow: UnitOfWork, partition: number): void {
  uow.delete('meta', [nameOf(partition)]);
}

function nameOf(partition: number): string {
  return `synced:${partition}`;
}
