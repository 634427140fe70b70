import type { Awaitable } from 'nexus-store/sqlite';

/** The answer of a client that answers at once, as SQLite within the process does. */
export function atOnce<T>(answer: Awaitable<T>): T {
  if (answer instanceof Promise) throw new TypeError('this needs a client that answers at once');
  return answer;
}
