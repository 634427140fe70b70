import type { Operation } from '../plan/operations.ts';
import type { AppContext } from '../world/app-context.ts';
import type { Value } from '../world/collections.ts';
import { detailOf } from '../world/records.ts';
import type { World } from '../world/world.ts';
import { pick, wishing } from './wishes.ts';

type Of<Kind extends Operation['do']> = Extract<Operation, { do: Kind }>;

export async function cancel(world: World, context: AppContext, where: number): Promise<unknown> {
  const id = pick(world, where);
  const life = world.history.lives.get(Number(id.slice(1)));
  const result = await wishing(world, 'remove', () => context.backend.cancel(id));
  if (result !== 'cancelled' || life === undefined || !context.isAlive) return result;
  const { group } = detailOf(life.last);
  const lives = [...world.history.lives.values()];
  const unit =
    group === undefined ? [life] : lives.filter((mate) => isMate(mate, life.partition, group));
  for (const member of unit) {
    member.isCancelled = true;
    if (member.appliedKey !== undefined) {
      world.fail('cancelled', `e${member.seq} was cancelled, and the server had applied it`);
    }
  }
  return result;
}

function isMate(
  life: { readonly partition: number; readonly last: Parameters<typeof detailOf>[0] },
  partition: number,
  group: string,
): boolean {
  return life.partition === partition && detailOf(life.last).group === group;
}

export async function resolve(
  world: World,
  context: AppContext,
  operation: Of<'resolve'>,
): Promise<unknown> {
  const conflicts = [...world.disk.entries.values()].filter(({ state }) => state === 'conflict');
  const entry = conflicts[Math.floor(operation.pick * conflicts.length)];
  if (entry === undefined) return undefined;
  const { use, token } = operation;
  const value: Value = { id: entry.entity, token, a: token, b: token };
  return context.backend.resolveConflict(
    `e${entry.seq}`,
    use === 'merged' ? { use, value: token % 3 === 0 ? null : value } : { use },
  );
}

/** What stopping takes: the grace for an answer, and writing down what became of each entry. */
const OVERRUN_MS = 3_000;

export async function sync(
  world: World,
  context: AppContext,
  operation: Of<'sync'>,
): Promise<unknown> {
  const { budgetMs, deadlineMs, abortMs } = operation;
  const controller = new AbortController();
  if (abortMs !== undefined) context.after(abortMs, () => controller.abort());
  const isFirst = !context.isRunning;
  const begunAt = world.runtime.clock.elapsed();
  const report = await context.backend.sync({
    ...(budgetMs === undefined ? {} : { budget: budgetMs }),
    ...(deadlineMs === undefined ? {} : { deadline: world.runtime.clock.now() + deadlineMs }),
    ...(abortMs === undefined ? {} : { signal: controller.signal }),
  });
  const { stoppedBy, pushed, remaining } = report;
  const startedAt = context.runStartedAt;
  const tookMs = world.runtime.clock.elapsed() - startedAt;
  const limitMs = Math.min(budgetMs ?? Infinity, deadlineMs ?? Infinity, abortMs ?? Infinity);
  // A call that joins a run under way takes as long as that one; a frozen context may hold all up.
  const isOwn = isFirst && startedAt >= begunAt;
  const isUndisturbed = context.faultAt < startedAt && world.frozenUntil < startedAt;
  if (isOwn && isUndisturbed && tookMs > limitMs + OVERRUN_MS) {
    world.fail('overrun', `a sync of ${limitMs} ms took ${tookMs} ms`);
  }
  return { stoppedBy, pushed, remaining, tookMs };
}
