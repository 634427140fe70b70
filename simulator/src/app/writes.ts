import type { EntryId, Write } from 'nexus-store';
import type { Operation, PlannedWrite } from '../plan/operations.ts';
import type { AppContext } from '../world/app-context.ts';
import { commandArgs, patchedFields, savedValue } from '../world/collections.ts';
import type { DepartureOnDisk } from '../world/records.ts';
import type { World } from '../world/world.ts';
import { judge } from './begin.ts';
import { unqueued } from './unqueued.ts';
import { pick, wishing, writing } from './wishes.ts';

type Of<Kind extends Operation['do']> = Extract<Operation, { do: Kind }>;

export function optionsOf(world: World, { priority, ttlMs, after, policy }: PlannedWrite) {
  return {
    ...(policy === undefined ? {} : { policy }),
    ...(priority === undefined ? {} : { priority }),
    ...(ttlMs === undefined ? {} : { ttl: ttlMs }),
    ...(after === undefined ? {} : { after: [{ id: pick(world, after) }] }),
  };
}

export async function write(
  world: World,
  context: AppContext,
  planned: PlannedWrite,
): Promise<unknown> {
  const store = context.stores[planned.collection];
  const options = optionsOf(world, planned);
  const { id } = planned;
  const { version } = context;
  const made = (): Promise<Write<unknown>> => {
    switch (planned.kind) {
      case 'save':
        return store.save(savedValue(planned, version), options);
      case 'patch':
        return store.patch(id, patchedFields(planned, version), options);
      case 'delete':
        return wishing(world, 'vanish', () => store.delete(id, options));
      case 'command':
        return store.command(id, 'add', commandArgs(planned), options);
    }
  };
  if (planned.policy !== undefined)
    return writing(context, [planned], () => unqueued(world, context, planned, made));
  return kept(world, context, [planned], async () => {
    const written = await made();
    if (written.entry !== null && planned.token % 3 === 0) followFate(world, context, written);
    return written.entry === null ? [] : [written.entry.id];
  });
}

/** The fate that a write is told is the one that it had. */
function followFate(world: World, context: AppContext, written: Write<unknown>): void {
  const seq = Number(written.entry?.id.slice(1));
  const life = world.history.lives.get(seq);
  written.synced().then(
    ({ outcome }) => {
      if (!context.isAlive || life === undefined) return;
      world.trace(`${context.name} e${seq} is told: ${outcome}`);
      const last = world.history.deciding(life);
      const isDiscarded = last.isDiscarded || world.disk.isClosed(last.partition);
      const mayBeUnseen = life.isErased || last.isErased || life.wasForgotten || last.wasForgotten;
      if (outcome === 'applied' && last.appliedKey === undefined && !mayBeUnseen) {
        world.fail('fate', `e${seq} is told to be applied, and no server has it`);
      }
      if (outcome === 'vanished' && last.appliedKey !== undefined) {
        world.fail('fate', `e${seq} is told to have vanished, and the server has it`);
      }
      if (outcome === 'cancelled' && !last.isGone && !isDiscarded) {
        world.fail('fate', `e${seq} is told to be cancelled, and is still in the queue`);
      }
    },
    (error: unknown) => {
      if (context.isAlive && !context.isClosed) judge(world, context, 'synced', error);
    },
  );
}

/** What resolved is in the queue; what was refused is nowhere. */
export async function kept(
  world: World,
  context: AppContext,
  planned: readonly PlannedWrite[],
  work: () => Promise<readonly EntryId[]>,
): Promise<readonly EntryId[]> {
  try {
    const ids = await writing(context, planned, work);
    // What is written while its user signs out and discards everything may go with the rest.
    if (!context.isAlive || (world.wishes.get('erase') ?? 0) > 0) return ids;
    for (const id of ids) {
      const { lives, vanished } = world.history;
      if (lives.has(Number(id.slice(1))) || vanished.has(id)) continue;
      const mark = world.disk.departures.get(id.slice(1)) as DepartureOnDisk | undefined;
      // A retry in the same commit has folded it into another one. Who closes a backend hears of nothing more.
      if (mark?.outcome === 'moved' || (context.isClosed && mark !== undefined)) continue;
      world.fail('lost', `${id} was promised and never came to the database`);
    }
    return ids;
  } catch (error) {
    if (context.isAlive) checkUnwritten(world, planned, error);
    throw error;
  }
}

export function checkUnwritten(
  world: World,
  planned: readonly PlannedWrite[],
  error: unknown,
): void {
  for (const { kind, token } of planned) {
    if (kind === 'delete') continue;
    const mark = kind === 'command' ? `"tokens":[${token}]` : `"token":${token},`;
    for (const { payload, seq } of world.disk.entries.values()) {
      if (payload?.includes(mark) !== true && payload?.includes(mark.replace(',', '}')) !== true)
        continue;
      world.fail(
        'refused-yet-kept',
        `e${seq} holds the write ${token}, refused with ${String(error)}`,
      );
    }
  }
}

export async function saveAll(
  world: World,
  context: AppContext,
  { writes }: Of<'save-all'>,
): Promise<unknown> {
  const [first] = writes;
  if (first === undefined) return undefined;
  const store = context.stores[first.collection];
  const options = optionsOf(world, first);
  return kept(world, context, writes, async () => {
    const made = await store.saveAll(
      writes.map((planned) => savedValue(planned, context.version)),
      options,
    );
    return made.flatMap(({ entry }) => (entry === null ? [] : [entry.id]));
  });
}
