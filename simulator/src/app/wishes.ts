import type { EntryId } from 'nexus-store';
import type { PlannedWrite } from '../plan/operations.ts';
import type { AppContext } from '../world/app-context.ts';
import type { World } from '../world/world.ts';

/** While the call is under way, entries may leave the queue for it. */
export async function wishing<R>(
  world: World,
  wish: 'remove' | 'vanish' | 'erase' | undefined,
  work: () => Promise<R>,
): Promise<R> {
  if (wish === undefined) return work();
  const change = (by: number): void =>
    void world.wishes.set(wish, (world.wishes.get(wish) ?? 0) + by);
  change(1);
  try {
    return await work();
  } finally {
    change(-1);
  }
}

/** While the call is under way, its commit may be another's as well, and these entities change. */
export async function writing<R>(
  context: AppContext,
  planned: readonly PlannedWrite[],
  work: () => Promise<R>,
): Promise<R> {
  context.writing.add(planned);
  try {
    return await work();
  } finally {
    context.writing.delete(planned);
  }
}

/** From the commit on that signs the user out, everything the user has here is discarded. */
export async function signingOut<R>(
  world: World,
  context: AppContext,
  discards: boolean,
  work: () => Promise<R>,
): Promise<R> {
  const others = world.signOuts.get(context) ?? [];
  const own = { discards, isDone: false };
  world.signOuts.set(context, [...others, own]);
  try {
    return await work();
  } finally {
    const left = (world.signOuts.get(context) ?? []).filter((one) => one !== own);
    world.signOuts.set(context, left);
  }
}

/** One of the entries that ever were, mostly a late one. */
export function pick(world: World, where: number): EntryId {
  const lives = [...world.history.lives.keys()].slice(-30);
  return `e${lives[Math.floor(where * lives.length)] ?? 1}`;
}
