import type { Runtime } from '../ports/runtime.ts';

/**
 * What `call` comes to, or `fallback` if it takes longer than `ms`, rejects or throws. For calls into a
 * platform, which may never answer: a run must end in time all the same.
 */
export function within<T>(
  runtime: Runtime,
  ms: number,
  call: () => Promise<T>,
  fallback: (error: unknown) => T,
): Promise<T> {
  return new Promise((resolve) => {
    const cancel = runtime.timers.after(ms, () => {
      resolve(fallback(new Error(`no answer within ${ms} ms`)));
    });
    const fail = (error: unknown): void => {
      cancel();
      resolve(fallback(error));
    };
    try {
      call().then((value) => {
        cancel();
        resolve(value);
      }, fail);
    } catch (error) {
      fail(error);
    }
  });
}
