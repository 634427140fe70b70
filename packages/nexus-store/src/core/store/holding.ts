import type { Timers } from '../ports/runtime.ts';

/** What `work` comes to. An app awaits it, so timers keep the process alive until then, where they can. */
export function holding<T>(timers: Timers, work: () => Promise<T>): Promise<T> {
  return timers.hold === undefined ? work() : held(timers.hold(), work);
}

async function held<T>(release: () => void, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    release();
  }
}
