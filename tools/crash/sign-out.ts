// Has a user sign out with everything discarded, and is killed in the middle of it.
import { nextTask, tell } from './child-side.ts';
import { openDevice } from './device.ts';
import { DISCARDED_WRITES, IN_TRANSACTIONS_OF } from './sign-out-crash.ts';

const task = await nextTask();
const { backend, stores } = openDevice(task);
await backend.signIn(task.prefix);
for (let first = 0; first < DISCARDED_WRITES; first += IN_TRANSACTIONS_OF) {
  await backend.transaction(async (tx) => {
    for (let index = first; index < first + IN_TRANSACTIONS_OF; index += 1)
      await tx.store(stores.notes).save({ id: `note-${index}`, count: index });
  });
}
const isSignedOut = backend.signOut({ pending: 'discard' });
await tell({ type: 'working' });
await isSignedOut;
// The kill was late: nothing is left to be cut off.
setInterval(() => {}, 60_000);
