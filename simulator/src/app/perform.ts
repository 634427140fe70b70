import { TOOL_SLOT, type Operation, type PlannedWrite } from '../plan/operations.ts';
import type { AppContext } from '../world/app-context.ts';
import type { World } from '../world/world.ts';
import { begin } from './begin.ts';
import { cancel, resolve, sync } from './control.ts';
import { read } from './reads.ts';
import { pick, signingOut, wishing } from './wishes.ts';
import { race } from './race.ts';
import { transaction } from './transactions.ts';
import { saveAll, write } from './writes.ts';

/** A server that forgets deletions sooner than a request takes keeps no promise at all. */
const RETENTION_MS = 60_000;

/** Begins one step of a plan. Calls of the product are not waited for: they overlap as they will. */
export async function perform(world: World, operation: Operation): Promise<void> {
  world.trace(`step ${world.step}: ${JSON.stringify(operation)}`);
  if (performOnWorld(world, operation)) return world.runtime.settle();
  if (operation.do === 'power-loss') {
    world.cutPower(false);
    return world.restorePower(operation.lost);
  }
  if (operation.do === 'tool') {
    runTool(world, operation.budgetMs);
    return world.runtime.settle();
  }
  if (!('slot' in operation)) return;
  const known = world.contexts[operation.slot];
  if (operation.do === 'open') {
    if (known === undefined)
      begin(world, world.open(operation.slot), 'open', (c) => c.backend.open());
  } else if (known?.isAlive === true && !known.isClosed) {
    performOnContext(world, known, operation);
  } else if (known === undefined && operation.slot === 0) {
    // The app is opened again sooner or later.
    begin(world, world.open(0), 'open', (context) => context.backend.open());
  }
  await world.runtime.settle();
}

function performOnWorld(world: World, operation: Operation): boolean {
  switch (operation.do) {
    case 'disk-full':
      world.disk.isFull = true;
      world.runtime.timers.after(operation.ms, () => {
        world.disk.isFull = false;
      });
      return true;
    case 'clock-step':
      world.runtime.jumpWallClock(operation.ms);
      world.wasClockMoved = true;
      world.traffic.forgetPromises();
      for (const context of world.alive) context.wasAbsent = true;
      return true;
    case 'weather':
      world.network.addWeather(operation.kind, operation.ms, operation.strength);
      return true;
    case 'expire-tokens':
      world.network.expireTokens();
      return true;
    case 'expire-cursors':
      world.server.expireCursors(RETENTION_MS);
      return true;
    case 'remote-edit': {
      const { principal, collection, id, kind, token } = operation;
      const value = kind === 'delete' ? null : { id, token: -token, a: -token, b: -token };
      world.server.edit(principal ?? 'nobody', collection, id, value);
      world.network.hint(principal ?? 'nobody', collection);
      return true;
    }
    default:
      return false;
  }
}

/** One at a time, as they are run by hand. */
function runTool(world: World, budgetMs: number): void {
  if (world.contexts[TOOL_SLOT] !== undefined) return;
  begin(world, world.open(TOOL_SLOT), 'tool', async (tool) => {
    await tool.backend.sync({ budget: budgetMs });
    await tool.backend.close();
    tool.kill('the tool has ended');
  });
}

function labelOf({ policy }: PlannedWrite): string {
  return policy === 'remote-first' ? 'write directly' : 'write';
}

function performOnContext(world: World, context: AppContext, operation: Operation): void {
  const { backend } = context;
  const call = <R>(work: (context: AppContext) => Promise<R>): void =>
    begin(world, context, operation.do, work);
  switch (operation.do) {
    case 'write':
      return begin(world, context, labelOf(operation.write), (c) =>
        write(world, c, operation.write),
      );
    case 'save-all':
      return call((c) => saveAll(world, c, operation));
    case 'race':
      return race(world, context, operation);
    case 'upgrade':
      world.appVersion += 1;
      context.kill('replaced by the next version');
      return begin(world, world.open(context.slot), 'open', (c) => c.backend.open());
    case 'transaction':
      return call((c) => transaction(world, c, operation));
    case 'cancel':
      return call((c) => cancel(world, c, operation.pick));
    case 'retry':
      return call(() => wishing(world, 'erase', () => backend.retry(pick(world, operation.pick))));
    case 'retry-all':
      return call(() => wishing(world, 'erase', () => backend.retryAll()));
    case 'discard':
      return call(() =>
        wishing(world, 'remove', () => backend.discard(pick(world, operation.pick))),
      );
    case 'reprioritise':
      return call(() => backend.reprioritise(pick(world, operation.pick), operation.priority));
    case 'resolve':
      return call(() => resolve(world, context, operation));
    case 'pause':
      return call(() => backend.pause());
    case 'resume':
      return call(() => backend.resume());
    case 'wake':
      return backend.wake();
    case 'refresh':
      return call(async () => {
        const { commits } = world.disk;
        await backend.refresh();
        if (world.disk.commits === commits) context.isBehind = false;
      });
    case 'sync':
      return call((c) => sync(world, c, operation));
    case 'sign-in':
      return call(() => backend.signIn(operation.principal));
    case 'sign-out':
      return call(() =>
        wishing(world, operation.pending === 'discard' ? 'erase' : undefined, () =>
          signingOut(world, context, operation.pending === 'discard', () =>
            backend.signOut({ pending: operation.pending }),
          ),
        ),
      );
    case 'read':
      return call((c) => read(world, c, operation));
    case 'close':
      context.isClosed = true;
      return call(async (c) => {
        await c.backend.close();
        c.kill('closed');
      });
    case 'kill':
      return context.kill('killed');
    case 'freeze':
      world.frozenUntil = Math.max(world.frozenUntil, world.runtime.clock.elapsed() + operation.ms);
      // It may hold up all others in the middle of its transaction.
      for (const other of world.alive) other.wasAbsent = true;
      if (world.plan.settings.storage === 'sqlite') {
        for (const other of world.alive) other.faultAt = world.runtime.clock.elapsed();
      }
      return context.freeze(operation.ms);
    case 'storage-fault':
      return context.storage.arm(operation.fault, operation.nth);
    case 'kill-on-network':
      return context.killOnNetwork(operation.nth);
    default:
      return undefined;
  }
}
