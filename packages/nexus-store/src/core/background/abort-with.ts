/**
 * Aborts with a reason that whoever holds the signal can read. React Native's `AbortController` keeps none:
 * there a run would never learn why the system ends it.
 */
export function abortWith(controller: AbortController, reason: unknown): void {
  const { signal } = controller;
  if (!('reason' in signal))
    Object.defineProperty(signal, 'reason', { value: reason, configurable: true });
  controller.abort(reason);
}
