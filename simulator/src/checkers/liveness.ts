import { begin } from '../app/begin.ts';
import { perform } from '../app/perform.ts';
import type { AppContext } from '../world/app-context.ts';
import { decode, detailOf, type EntryOnDisk } from '../world/records.ts';
import { refOf } from '../world/server.ts';
import type { World } from '../world/world.ts';
import { checkErased } from './erased.ts';
import { leasedPositions } from './claims.ts';
import { isDue, type Unit } from './naive-queue.ts';
import { canonical, name } from './records-agree.ts';
import { checkViews, storedValue } from './views.ts';

/** The longest that a low entry waits for company, and some time to begin. */
const SLACK_MS = 70_000;
/** The longest wait between two tries of a run that the storage made fail. */
const RECOVER_MS = 300_000;
const LONGEST_WAIT_MS = 24 * 3_600_000;

/** Pending and not blocked implies a run under way or a timer, in every context that is awake. */
export function checkLiveness(world: World): void {
  if (!world.plan.settings.autoSync) return;
  for (const context of world.alive) {
    if (context.isTool || !isIdle(world, context)) continue;
    const waitMs = shortestWait(world, context);
    if (waitMs === undefined) continue;
    const elapsed = world.runtime.clock.elapsed();
    const mayRecover = context.faultAt > elapsed - RECOVER_MS;
    const slackMs = SLACK_MS + (mayRecover ? RECOVER_MS : 0);
    const nextMs = Math.min(...context.timers.values()) - elapsed;
    if (nextMs === Infinity) {
      world.fail('stuck', `${context.name} is idle for ever, and something is due in ${waitMs} ms`);
    } else if (nextMs > waitMs * 1.05 + slackMs) {
      const text = `${context.name} wakes in ${Math.round(nextMs)} ms`;
      world.fail('late', `${text}, and something is due in ${Math.round(waitMs)} ms`);
    }
  }
}

function isIdle(world: World, context: AppContext): boolean {
  const { backend, storage } = context;
  return (
    backend.isOpen &&
    !context.isClosed &&
    !context.isFrozen &&
    !context.isBehind &&
    !context.isRunning &&
    !backend.isPaused &&
    context.calls.size === 0 &&
    storage.underWay === 0 &&
    !world.traffic.isUnderWay(context)
  );
}

/** How long until something of the context's user may be sent; undefined if nothing will be by itself. */
function shortestWait(world: World, context: AppContext): number | undefined {
  const { disk } = world;
  const now = world.runtime.clock.now();
  const { isUpgradeRequired = false, unauthorised = [], until = null } = disk.gate ?? {};
  if (isUpgradeRequired || unauthorised.includes(context.backend.partition)) return undefined;
  const leased = leasedPositions(disk.leases.values());
  const units = world.queue.units
    .filter((unit) => unit.isFree && unit.leader.partition === context.backend.partition)
    .filter((unit) => !unit.entries.some(({ position }) => leased.has(position)));
  if (units.length === 0) return undefined;
  if (world.wasClockMoved) {
    // Waits count anew at worst, and are never longer than what was asked for.
    const asked = units.map(({ entries }) =>
      Math.max(...entries.map(({ seq }) => world.waits.of(seq))),
    );
    return Math.max(world.waits.gateMs, Math.min(...asked));
  }
  const waits = units.map((unit) => (isDue(unit, now) ? 0 : (unit.notBefore ?? now) - now));
  const gateMs = until === null || until > now + LONGEST_WAIT_MS ? 0 : Math.max(0, until - now);
  return Math.max(gateMs, Math.min(...waits));
}

const ROUNDS = 60;
const HANG_MS = 10 * 60_000;
/** Beyond those of all plans. */
const FIRST_COMPANY_TOKEN = 3_000_000;

/** Nothing goes wrong any more: everything is sent in the end, or is dead with a reason. */
export async function healAndDrain(world: World): Promise<void> {
  world.step = world.plan.steps.length;
  world.trace('the world heals');
  world.network.heal();
  world.disk.isFull = false;
  for (const context of world.alive) context.storage.disarm('power');
  await world.runtime.advance(HANG_MS);
  await world.restorePower();
  checkLiveness(world);
  checkViews(world);
  for (const context of world.alive) {
    const [call] = context.calls;
    if (call !== undefined && !context.isFrozen) {
      world.fail('hang', `${context.name}: ${call.label} has not come back in ${HANG_MS} ms`);
    }
  }
  if (world.violation === undefined && world.plan.settings.listens === true)
    await checkHints(world);
  for (const context of world.alive) context.kill('the world heals');
  await world.runtime.settle();
  if (world.violation !== undefined) return;
  const context = world.open(0);
  await finish(world, context, 'open', (c) => c.backend.open());
  await finish(world, context, 'resume', (c) => c.backend.resume());
  const principals = [...world.disk.partitions.values()].filter((name) => name !== 'nobody');
  for (const principal of [...principals, null]) {
    if (world.violation !== undefined) return;
    await finish(world, context, 'become', (c) =>
      principal === null ? c.backend.signOut() : c.backend.signIn(principal),
    );
    await drain(world, context, principal ?? 'nobody');
  }
  checkErased(world);
}

/** A stream of hints is opened again within the longest wait between two, whatever broke it. */
const RECONNECT_MS = 75 * 60_000;
const HEARD_MS = 5_000;

/** Once nothing goes wrong, what another device changes is soon here, without anyone asking for it. */
async function checkHints(world: World): Promise<void> {
  await world.runtime.advance(RECONNECT_MS);
  const id = 'hinted';
  for (const context of world.alive) {
    const { backend } = context;
    const { isUpgradeRequired = false, unauthorised = [], retryAfterUntil } = world.disk.gate ?? {};
    const isBlocked = isUpgradeRequired || unauthorised.includes(backend.partition);
    const mustWait = (retryAfterUntil ?? 0) > world.runtime.clock.now();
    const isDeaf = !backend.isOpen || context.isClosed || context.isFrozen || backend.isPaused;
    if (isDeaf || isBlocked || mustWait || !world.plan.settings.autoSync) continue;
    if (context.isTool || context.isBehind || context.faultAt > -Infinity) continue;
    const principal = backend.principal ?? 'nobody';
    world.server.edit(principal, 'notes', id, { id, token: -1, a: context.slot });
    world.network.hint(principal, 'notes');
    await world.runtime.advance(HEARD_MS);
    // A fault that was armed long ago may strike now.
    if (context.faultAt > -Infinity || !context.isAlive) continue;
    const seen = storedValue(world, context, 'notes', id);
    if (canonical(seen) === canonical({ id, token: -1, a: context.slot })) continue;
    world.fail(
      'deaf',
      `${context.name} was hinted at a change ${HEARD_MS} ms ago and has not got it`,
    );
  }
}

async function drain(world: World, context: AppContext, principal: string): Promise<void> {
  const { backend } = context;
  await syncUntilRest(world, context);
  for (const unit of unitsOf(world, context)) {
    if (unit.isFree) world.fail('stuck', `${name(unit.leader)} of ${principal} is never sent`);
    if (unit.entries.some(isUndecided))
      world.fail('undecided', `${name(unit.leader)} of ${principal} is left undecided by the app`);
    for (const entry of unit.entries) {
      if (entry.state === 'dead' && entry.detail?.includes('"failure"') !== true) {
        world.fail('no-reason', `${name(entry)} is dead without a reason`);
      }
    }
  }
  for (let round = 0; round < ROUNDS && unitsOf(world, context).length > 0; round += 1) {
    if (world.violation !== undefined) return;
    const entries = [...world.disk.entries.values()].filter(
      ({ partition }) => partition === backend.partition,
    );
    await finish(world, context, 'clear', async () => {
      world.wishes.set('remove', 1);
      for (const { seq, state } of entries) {
        if (state === 'dead') await backend.discard(`e${seq}`);
        if (state === 'conflict') await backend.resolveConflict(`e${seq}`, { use: 'remote' });
      }
      world.wishes.set('remove', 0);
    });
    await syncUntilRest(world, context);
  }
  const [left] = unitsOf(world, context);
  if (left !== undefined) {
    world.fail('stuck', `${name(left.leader)} of ${principal} stays in the queue`);
  }
  if (world.violation === undefined) await compareRows(world, context, principal);
}

/** Left by a context without the app's stores to one that has them. */
function isUndecided(entry: EntryOnDisk): boolean {
  return entry.state === 'conflict' && detailOf(entry).failure?.code === 'store/undecided';
}

function unitsOf(world: World, context: AppContext): readonly Unit[] {
  return world.queue.units.filter((unit) => unit.leader.partition === context.backend.partition);
}

/** Syncs until a run finds nothing left that may be sent. */
async function syncUntilRest(world: World, context: AppContext): Promise<void> {
  let isDrained = false;
  for (let round = 0; round < ROUNDS && world.violation === undefined; round += 1) {
    if (unitsOf(world, context).some(({ leader }) => detailOf(leader).suspicion !== undefined))
      await keepCompany(world, context, round);
    await finish(world, context, 'sync', async (c) => {
      const { stoppedBy } = await c.backend.sync();
      isDrained = stoppedBy === 'drained';
    });
    const isWaiting = unitsOf(world, context).some(({ isFree }) => isFree);
    if (isDrained && !isWaiting) return;
    await world.runtime.advance(round < 10 ? 60_000 : 3_600_000);
  }
  if (!isDrained) world.fail('stuck', 'no run comes to its end in a healed world');
}

/**
 * What meets no server is only blamed if requests of others do. A poisoned write that is left alone is tried for
 * ever, and nobody waits for it.
 */
async function keepCompany(world: World, context: AppContext, round: number): Promise<void> {
  const write = {
    kind: 'save',
    collection: 'audit',
    id: 'company',
    token: FIRST_COMPANY_TOKEN + round,
    priority: 'critical',
  } as const;
  await perform(world, { do: 'write', slot: context.slot, write });
  await world.runtime.advance(1_000);
}

async function compareRows(world: World, context: AppContext, principal: string): Promise<void> {
  // After a `skip` the app goes on seeing what it wrote, and after a loss of commits what it sent once more:
  // only a pull of everything puts that right.
  const isFull = world.plan.seed % 2 === 0 || world.settings.isRelaxed;
  if (isFull) world.server.expireCursors(0);
  await syncUntilRest(world, context);
  if (world.violation !== undefined) return;
  const isLocal = (ref: string): boolean =>
    world.history.local.has(`${context.backend.partition}/${ref.replace(/\n"(.*)"/, '/$1')}`);
  const theirs = world.server.rows(principal);
  const ours = new Map<string, unknown>();
  for (const { partition, collection, id, value, version } of world.disk.rows.values()) {
    if (partition !== context.backend.partition || value === null) continue;
    if (collection === 'tasks' && (!isFull || version === null)) continue;
    ours.set(refOf(collection, id), decode(value));
  }
  for (const ref of new Set([...theirs.keys(), ...ours.keys()])) {
    if (isLocal(ref) || (ref.startsWith('tasks') && !ours.has(ref))) continue;
    if (canonical(ours.get(ref) ?? null) === canonical(theirs.get(ref) ?? null)) continue;
    const text = ref.replace('\n', '/');
    world.fail(
      'diverged',
      `${text} of ${principal}: here ${canonical(ours.get(ref) ?? null)}, there ${canonical(theirs.get(ref) ?? null)}`,
    );
  }
}

/** Waits for one call, while time goes on. */
async function finish(
  world: World,
  context: AppContext,
  label: string,
  work: (context: AppContext) => Promise<unknown>,
): Promise<void> {
  begin(world, context, label, work);
  for (let waited = 0; waited < HANG_MS && context.calls.size > 0;) {
    const ms = waited < 10_000 ? 500 : 10_000;
    await world.runtime.advance(ms);
    waited += ms;
  }
  if (context.calls.size > 0) world.fail('hang', `${label} does not come back in a healed world`);
}
