import { flushCompileCache } from 'node:module';
import type { ChildMessage, Go } from './messages.ts';

/** Resolves when the message has left this process: a kill from now on does not take it back. */
export function tell(message: ChildMessage): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(message, () => resolve());
  });
}

/** Says that this process is loaded, and waits for its task. */
export async function nextTask(): Promise<Go> {
  // A process that is killed keeps nothing of what it compiled.
  flushCompileCache();
  process.on('disconnect', () => process.exit());
  const task = new Promise<Go>((resolve) => {
    process.once('message', (go) => resolve(go as Go));
  });
  await tell({ type: 'loaded' });
  return task;
}
