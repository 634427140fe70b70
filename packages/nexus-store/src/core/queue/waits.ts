import type { Clock } from '../ports/runtime.ts';
import { readFact } from './facts.ts';
import { scanDue } from './inspect.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/**
 * The waits of entries (`notBefore`) are wall time, because they outlive the process. A clock that stands
 * before the instant at which the last of them was set was moved back: all of them are moved back with
 * it, so that a step of hours does not hold entries for hours. So no wait is ever longer, seen from when
 * somebody looks, than it was when it was set.
 */
const CHUNK = 256;

const nameOf = (partition: number): string => `waits:${partition}`;

/** An entry was told to wait, just now. */
export async function noteWait(uow: UnitOfWork, partition: number, now: number): Promise<void> {
  if (now > (await lastSetAt(uow, partition))) store(uow, partition, now);
}

/** How far the clock was moved back since the last wait was set, at least. 0: not that we know of. */
export async function clockBackMs(
  uow: UnitOfWork,
  partition: number,
  now: number,
): Promise<number> {
  return Math.max(0, (await lastSetAt(uow, partition)) - now);
}

/**
 * Moves some waits back with the clock, soonest first. What is moved lands before where the scan stands,
 * so nothing is moved twice.
 *
 * @param from the place in `due` to go on from; the first time `[now]`
 * @returns the place to go on from; undefined at the end
 */
export async function moveWaits(
  uow: UnitOfWork,
  partition: number,
  from: readonly number[],
  backMs: number,
  now: number,
): Promise<readonly number[] | undefined> {
  const some = await scanDue(uow, partition, from, CHUNK);
  for (const entry of some) {
    const notBefore = Math.max(now, (entry.notBefore as number) - backMs);
    uow.putEntry({ ...entry, notBefore });
  }
  const last = some.at(-1);
  if (last !== undefined && some.length === CHUNK) return [last.notBefore as number, last.seq];
  store(uow, partition, now);
  return undefined;
}

/** Moves all waits back with the clock, if it was moved back, in the caller's transaction. */
export async function followClock(uow: UnitOfWork, partition: number, now: number): Promise<void> {
  const backMs = await clockBackMs(uow, partition, now);
  if (backMs === 0) return;
  for (let from: readonly number[] | undefined = [now]; from !== undefined;) {
    from = await moveWaits(uow, partition, from, backMs, now);
  }
}

/** A step of the wall clock back by more than this is noticed. */
const NOTICED_MS = 1_000;

/** Notices without a look into storage that the wall clock may have been moved back. */
export class ClockWatch {
  readonly #clock: Clock;
  #ahead = Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True the first time: nobody knows what happened while no process ran. */
  mayHaveMovedBack(): boolean {
    const before = this.#ahead;
    this.#ahead = this.#clock.now() - this.#clock.elapsed();
    return this.#ahead < before - NOTICED_MS;
  }
}

export function forgetWaits(uow: UnitOfWork, partition: number): void {
  uow.delete('meta', [nameOf(partition)]);
}

async function lastSetAt(uow: UnitOfWork, partition: number): Promise<number> {
  return (await readFact<number>(uow, nameOf(partition), Number.isFinite)) ?? 0;
}

function store(uow: UnitOfWork, partition: number, at: number): void {
  const name = nameOf(partition);
  uow.put('meta', [name], { name, value: JSON.stringify(at) });
}
