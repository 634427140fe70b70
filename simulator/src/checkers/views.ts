import type { Live } from 'nexus-store';
import type { CollectionName } from '../plan/operations.ts';
import type { AppContext } from '../world/app-context.ts';
import type { Value } from '../world/collections.ts';
import { decode } from '../world/records.ts';
import type { World } from '../world/world.ts';
import { canonical } from './records-agree.ts';

/** Something that the app watches. */
export interface Watch {
  readonly collection: CollectionName;
  readonly id: string;
  readonly live: Live<Value | undefined>;
}

/** What is stored of an entity of the signed-in user. */
export function storedValue(
  world: World,
  context: AppContext,
  collection: string,
  id: string,
): unknown {
  const row = world.disk.rows.get(`${context.backend.partition}|${collection}|${id}`);
  return row === undefined || row.value === null ? null : decode(row.value);
}

/** At rest, what the app watches is what is stored, and the status counts what is queued. */
export function checkViews(world: World): void {
  for (const context of world.alive) {
    const { backend } = context;
    if (!backend.isOpen || context.isClosed || context.isFrozen || context.isBehind) continue;
    if (context.faultAt > -Infinity) continue; // a failed reading may be the last one
    for (const { collection, id, live } of context.watches) {
      const stored = storedValue(world, context, collection, id);
      if (canonical(live.current ?? null) === canonical(stored)) continue;
      const text = `${context.name} watches ${collection}/${id} as ${canonical(live.current ?? null)}`;
      world.fail('watch', `${text}, stored is ${canonical(stored)}`);
    }
    const { pending, dead, conflicts } = backend.status.current;
    const seen = {
      pending: [pending.critical, pending.high, pending.normal, pending.low],
      dead,
      conflicts,
    };
    const counters = world.disk.counters[String(backend.partition)];
    const stored = {
      pending: counters?.pending ?? [0, 0, 0, 0],
      dead: counters?.dead ?? 0,
      conflicts: counters?.conflicts ?? 0,
    };
    if (canonical(seen) !== canonical(stored)) {
      world.fail(
        'status',
        `${context.name} says ${canonical(seen)}, stored is ${canonical(stored)}`,
      );
    }
  }
}
