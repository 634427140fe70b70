import { isNexusError } from 'nexus-store';
import type { AppContext } from '../world/app-context.ts';
import type { World } from '../world/world.ts';

/** Errors that an app must expect of any call. */
const EXPECTED: readonly string[] = [
  'store/not-found',
  'store/exists',
  'store/has-pending',
  'store/signed-out',
  'queue/full',
  'storage/closed',
];

/** Begins a call and looks at how it ends, if the context lives to see it. */
export function begin<R>(
  world: World,
  context: AppContext,
  label: string,
  work: (context: AppContext) => Promise<R>,
): void {
  const call = { label, begunAt: world.runtime.clock.elapsed() };
  context.calls.add(call);
  const end = (): void => void context.calls.delete(call);
  work(context).then(
    (result) => {
      end();
      if (context.isAlive && result !== undefined) {
        world.trace(`${context.name} ${label} = ${JSON.stringify(result)}`);
      }
    },
    (error: unknown) => {
      end();
      if (context.isAlive) judge(world, context, label, error);
    },
  );
}

/** An error that the app did not have to expect is a violation. */
export function judge(world: World, context: AppContext, label: string, error: unknown): void {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  world.trace(`${context.name} ${label} failed: ${text}`);
  if (label === 'sync') context.isRunning = false;
  if (error instanceof PlannedError) return;
  if (isNexusError(error)) {
    if (EXPECTED.includes(error.code)) return;
    if (error.code === 'storage/busy' && world.mayBeHeldUp) return;
    if (error.code.startsWith('storage/') && context.faultAt > -Infinity) return;
    if (error.code.startsWith('remote/') && (label === 'read' || label === 'write directly'))
      return;
  }
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  world.fail('error-thrown', `${label}: ${text}\n${stack}`);
}

/** What the plan itself throws. */
export class PlannedError extends Error {}
