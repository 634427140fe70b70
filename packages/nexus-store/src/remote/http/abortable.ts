/** Thrown when the caller's signal aborted or the remote was closed. */
export class AbortedError extends Error {
  override readonly name = 'AbortError';
}

/** Settles as `work` does, or rejects with `AbortedError` at once when the signal aborts. */
export function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(new AbortedError('aborted'));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    const done = (): void => signal.removeEventListener('abort', abort);
    work.then(resolve, reject).finally(done);
  });
}

/**
 * A signal that aborts with the first of `signals`; call `release` when done, or a long-lived signal
 * keeps every request it ever saw. (`AbortSignal.any` is missing on Hermes and older browsers.)
 */
export function firstOf(signals: readonly AbortSignal[]): {
  readonly signal: AbortSignal;
  readonly release: () => void;
} {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  for (const signal of signals) {
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
  }
  const release = (): void => {
    for (const signal of signals) signal.removeEventListener('abort', abort);
  };
  return { signal: controller.signal, release };
}
