import type { PlatformScheduler, WakeUp } from '../ports/platform-scheduler.ts';

/** Who a scheduler's wake-ups go to. */
interface Inbox {
  handler: ((wakeUp: WakeUp) => void) | undefined;
}

const inboxes = new WeakMap<PlatformScheduler, Inbox>();

/**
 * Takes a scheduler's wake-ups from now on. A scheduler takes one handler for its life; a service that
 * was disposed of may be followed by another, which takes them over. Returns how to let go.
 */
export function takeInbox(
  scheduler: PlatformScheduler,
  handler: (wakeUp: WakeUp) => void,
): () => void {
  const inbox = inboxes.get(scheduler) ?? bind(scheduler, handler);
  inbox.handler = handler;
  return () => {
    if (inbox.handler === handler) inbox.handler = undefined;
  };
}

function bind(scheduler: PlatformScheduler, handler: (wakeUp: WakeUp) => void): Inbox {
  const inbox: Inbox = { handler };
  inboxes.set(scheduler, inbox);
  scheduler.onWakeUp((wakeUp) => {
    // Nobody is there who could do anything: the system keeps the request and asks again.
    if (inbox.handler === undefined) wakeUp.complete('retry');
    else inbox.handler(wakeUp);
  });
  return inbox;
}
