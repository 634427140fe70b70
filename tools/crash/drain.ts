// Sends without end, until it is killed.
import { setTimeout as sleep } from 'node:timers/promises';
import { nextTask, tell } from './child-side.ts';
import { openDevice } from './device.ts';

const task = await nextTask();
const { backend } = openDevice(task);
backend.on((event) => {
  if (event.type === 'push-started') void tell({ type: 'working' });
});
for (;;) {
  const { pushed, dead, stoppedBy } = await backend.sync();
  await tell({ type: 'synced', pushed, dead, stoppedBy });
  await sleep(10);
}
