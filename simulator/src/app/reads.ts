import { canonical } from '../checkers/records-agree.ts';
import { storedValue } from '../checkers/views.ts';
import type { CollectionName, Operation } from '../plan/operations.ts';
import type { AppContext } from '../world/app-context.ts';
import type { Value } from '../world/collections.ts';
import { decode } from '../world/records.ts';
import type { World } from '../world/world.ts';

type Of<Kind extends Operation['do']> = Extract<Operation, { do: Kind }>;

export async function read(
  world: World,
  context: AppContext,
  operation: Of<'read'>,
): Promise<void> {
  const { collection, id, how } = operation;
  const store = context.stores[collection];
  switch (how) {
    case 'get':
      return checkRead(world, context, collection, id);
    case 'all':
      return checkReadAll(world, context, collection);
    case 'network-first':
    case 'network-only':
      await store.get(id, { policy: how });
      return;
    case 'watch': {
      const live = store.watch(id, { policy: 'cache-only' });
      live.subscribe(() => {});
      context.watches.push({ collection, id, live });
      return;
    }
    case 'pending':
      await context.backend.pendingChanges();
      return;
    case 'export':
      await context.backend.export();
  }
}

/** A read gives what is stored, if nothing is written meanwhile. */
async function checkRead(
  world: World,
  context: AppContext,
  collection: CollectionName,
  id: string,
): Promise<void> {
  const { commits } = world.disk;
  const { partition } = context.backend;
  const value = await context.stores[collection].get(id, { policy: 'cache-only' });
  if (world.disk.commits !== commits || context.backend.partition !== partition) return;
  const stored = storedValue(world, context, collection, id);
  if (canonical(value ?? null) === canonical(stored)) return;
  world.fail(
    'read',
    `${collection}/${id} reads ${canonical(value)}, stored is ${canonical(stored)}`,
  );
}

async function checkReadAll(
  world: World,
  context: AppContext,
  collection: CollectionName,
): Promise<void> {
  const { commits } = world.disk;
  const { partition } = context.backend;
  const values = await context.stores[collection].getAll(
    { orderBy: 'token', limit: 3 },
    { policy: 'cache-only' },
  );
  if (world.disk.commits !== commits || context.backend.partition !== partition) return;
  const stored = [...world.disk.rows.values()]
    .filter((row) => row.partition === partition && row.collection === collection)
    .flatMap(({ value }) => (value === null ? [] : [decode(value) as Value]))
    .map(({ token }) => token)
    .toSorted((a, b) => a - b)
    .slice(0, 3);
  const read = values.map(({ token }) => token);
  if (read.join() !== stored.join()) {
    world.fail('read', `all of ${collection} reads ${read.join()}, stored is ${stored.join()}`);
  }
}
