import { clockBackMs, moveWaits } from '../queue/waits.ts';
import type { SyncContext } from './sync-context.ts';

/** How far the clock was moved back behind the last wait that was set. */
export function clockWentBackMs(
  { writer, runtime }: SyncContext,
  partition: number,
): Promise<number> {
  return writer.read((uow) => clockBackMs(uow, partition, runtime.clock.now()));
}

/** The clock was moved back: what waits for a time does not wait longer for it. */
export async function followClock(
  { writer, runtime }: SyncContext,
  partition: number,
  backMs: number,
): Promise<void> {
  const now = runtime.clock.now();
  for (let from: readonly number[] | undefined = [now]; from !== undefined;) {
    const start: readonly number[] = from;
    from = await writer.write((uow) => moveWaits(uow, partition, start, backMs, now));
  }
}
