import type { EntryId, Write } from 'nexus-store';
import type { PlannedWrite } from '../plan/operations.ts';
import type { AppContext } from '../world/app-context.ts';
import type { World } from '../world/world.ts';

/** A write that does not go through the queue: sent before it is stored, or stored and never sent. */
export async function unqueued(
  world: World,
  context: AppContext,
  planned: PlannedWrite,
  make: () => Promise<Write<unknown>>,
): Promise<readonly EntryId[]> {
  const { collection, id, token, kind, policy } = planned;
  const { direct } = world.traffic;
  const { partition } = context.backend;
  const lane = `${partition}/${collection}/${id}`;
  if (policy === 'local-only') {
    world.history.local.add(lane);
    world.traffic.direct.neverSent.add(token);
  } else if (isSettled(context)) {
    direct.begin(token, context.backend.principal ?? 'nobody');
  }
  try {
    const { entry } = await make();
    if (!context.isAlive) return [];
    if (entry !== null) world.fail('policy', `${policy} ${lane} made the entry ${entry.id}`);
    if (policy === 'remote-first' && kind !== 'delete' && !direct.hasApplied(token)) {
      world.fail('lost', `the write ${token} of ${lane} resolved, and no server has it`);
    }
    return [];
  } catch (error) {
    if (context.isAlive && kind !== 'delete' && !direct.hasApplied(token)) {
      for (const { value } of world.disk.rows.values()) {
        if (value?.includes(`"token":${token},`) !== true) continue;
        world.fail('refused-yet-kept', `${lane} holds ${token}, refused with ${String(error)}`);
      }
    }
    throw error;
  }
}

/** True if it is known at the call whose write it is: nobody is about to sign in or out. */
function isSettled({ backend, calls }: AppContext): boolean {
  return backend.isOpen && [...calls].every(({ label }) => !/^(sign|refresh|become)/.test(label));
}
