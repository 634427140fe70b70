import type { Timers } from '../ports/runtime.ts';

/**
 * The promise's result, or `late()` once the signal has aborted and `graceMs()` more have passed: for
 * promises of others, who may ignore a signal or never settle. Leaves neither timer nor listener.
 */
export async function withPatience<R>(
  timers: Timers,
  promise: Promise<R>,
  signal: AbortSignal,
  graceMs: () => number,
  late: () => R | Promise<R>,
): Promise<R> {
  let cancel = (): void => {};
  let onAbort = (): void => {};
  const expired = new Promise<typeof EXPIRED>((resolve) => {
    onAbort = () => {
      cancel = timers.after(graceMs(), () => resolve(EXPIRED));
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    const result = await Promise.race([promise, expired]);
    return result === EXPIRED ? await late() : result;
  } finally {
    cancel();
    signal.removeEventListener('abort', onAbort);
  }
}

const EXPIRED = Symbol('expired');

/** A signal that aborts with another one, or after a time. `release` lets go of both. */
export function limitedSignal(
  timers: Timers,
  outer: AbortSignal,
  timeoutMs: number,
): { readonly signal: AbortSignal; readonly release: () => void } {
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(outer.reason);
  if (outer.aborted) onAbort();
  else outer.addEventListener('abort', onAbort, { once: true });
  const cancel = Number.isFinite(timeoutMs)
    ? timers.after(timeoutMs, () => controller.abort('timeout'))
    : () => {};
  const release = (): void => {
    cancel();
    outer.removeEventListener('abort', onAbort);
  };
  return { signal: controller.signal, release };
}
