import { createBackend, defineBackgroundSync, NexusStore } from 'nexus-store';
import { httpRemote } from 'nexus-store/http';
import { nodeBackgroundSync } from 'nexus-store/node';
import { sqliteStorage } from 'nexus-store/sqlite';

const path = '/tmp/nodesvc-k7/doc/field.db';
const backend = createBackend({
  storage: sqliteStorage({ path }),
  remote: httpRemote({ url: 'http://127.0.0.1:18788', headers: { authorization: 'Bearer secret' } }),
});
const notes = new NexusStore<{ id: string; text: string }>({ backend, collection: 'notes' });

const background = defineBackgroundSync({
  open: () => backend,
  config: { minInterval: '15m' },
  providers: [nodeBackgroundSync({ path, grace: '5s' })],
});
await background.ready;

await notes.save({ id: 'a', text: 'reactor is hot' }, { priority: 'critical' });
console.log(await background.explain());
