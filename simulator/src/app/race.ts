import type { Operation } from '../plan/operations.ts';
import type { AppContext } from '../world/app-context.ts';
import type { World } from '../world/world.ts';
import { begin } from './begin.ts';
import { write } from './writes.ts';

type Of<Kind extends Operation['do']> = Extract<Operation, { do: Kind }>;

/**
 * Begins several writes in one turn, as an app does that forgets to await. They go in the order of the
 * calls: of one entity, an earlier call never gets a later place in the queue.
 */
export function race(world: World, context: AppContext, { writes }: Of<'race'>): void {
  const places: (number | undefined)[] = [];
  for (const [index, planned] of writes.entries()) {
    begin(world, context, 'write', async (c) => {
      const ids = (await write(world, c, planned)) as readonly string[];
      const [id] = ids;
      if (id === undefined || !c.isAlive) return ids;
      places[index] = Number(id.slice(1));
      for (const [other, earlier] of places.slice(0, index).entries()) {
        const named = writes[other];
        const isSame = named?.collection === planned.collection && named.id === planned.id;
        // A create that met its delete has left its place to what was there before.
        if (world.history.vanished.has(`e${earlier}`)) continue;
        if (!isSame || earlier === undefined || earlier <= Number(id.slice(1))) continue;
        world.fail('call-order', `${id} was called after e${earlier} and stands before it`);
      }
      return ids;
    });
  }
}
