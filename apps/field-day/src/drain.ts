/** The app when the network is back: sends everything, waiting for what a killed runner had claimed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { belongToStory, finish, Gathering } from './child-side.ts';
import type { DrainMessage } from './messages.ts';
import { openPhone } from './phone.ts';

const [folder = '', database = '', url = ''] = process.argv.slice(2);
belongToStory(folder);
const tell = (message: DrainMessage): void => void process.send?.(message);

const { backend } = openPhone(database, url, { autoSync: false });
const entries = await backend.pendingChanges();
tell({
  type: 'queue',
  entries: entries.map(({ id, entityId, state, isAmbiguous }) => ({
    entryId: id,
    reportId: String(entityId),
    state,
    isAmbiguous,
  })),
});

const applied = new Gathering<string>((entryIds) => tell({ type: 'applied', entryIds }));
backend.on((event) => {
  if (event.type === 'entry-applied') applied.add(event.entryId);
  if (event.type !== 'push-started') return;
  // The order of the messages is the order in which it happened.
  applied.flush();
  tell({ type: 'started', entryIds: event.entryIds });
});

for (;;) {
  const report = await backend.sync();
  const { nextAttemptAt, remaining, stoppedBy } = report;
  if (stoppedBy !== 'drained' || remaining === 0 || nextAttemptAt === null) {
    const { dead } = backend.status.current;
    await backend.close();
    applied.flush();
    finish<DrainMessage>({ type: 'done', report, dead });
    break;
  }
  tell({ type: 'waiting', remaining, until: nextAttemptAt });
  await sleep(Math.max(0, nextAttemptAt - Date.now()) + 5);
}
