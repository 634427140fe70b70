import { nextAttemptAt, readRest } from '../sync/rest.ts';
import { coreOf } from './backend-core.ts';
import type { StoreBackend } from './store-backend.ts';

/**
 * Checks the engine's promise: whenever something is pending and nothing blocks it, a run is under way
 * or a timer is set. Null if it holds, else what is wrong. For tests and simulations; changes nothing.
 */
export async function whyAsleep(backend: StoreBackend): Promise<string | null> {
  const { writer, engine, auto, status, runtime, partition } = coreOf(backend);
  const now = runtime.clock.now();
  const isAwake = (): boolean => engine.isRunning || auto.dueAt !== null || status.isRefreshDue;
  const rest = await writer.read((uow) =>
    readRest(uow, partition, engine.isHalted, now, engine.decides),
  );
  const at = nextAttemptAt(rest, now);
  if (at === null || isAwake()) return null;
  return `${rest.remaining} entries wait, the next attempt is due in ${at - now} ms, and no timer is set`;
}
