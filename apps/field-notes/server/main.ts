// `npm run serve -w field-notes -- [--database file] [--port 4180]`: the built app beside its server.
// Started by another process, it tells that process its address and ends with it.
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { BUILT, buildIfNeeded } from '../build/build-app.ts';
import { DEMO_USERS } from './demo-users.ts';
import { serveApp } from './serve-app.ts';

const { values } = parseArgs({
  options: {
    database: { type: 'string' },
    port: { type: 'string', default: '4180' },
  },
});

const ending = new AbortController();
const end = (): void => ending.abort();
process.on('SIGTERM', end).on('disconnect', end);
// Ctrl-C reaches the whole group; whoever started us decides what it means.
process.on('SIGINT', () => process.send === undefined && end());

await buildIfNeeded();
const app = await serveApp({
  folder: BUILT,
  database: values.database ?? ':memory:',
  hasSampleReports: values.database === undefined,
  port: Number(values.port),
});
if (process.send === undefined) {
  const codes = Object.keys(DEMO_USERS).join(' or ');
  console.log(
    `Field notes is at ${app.url}; sign in with the access code ${codes}. Ctrl-C ends it.`,
  );
} else {
  process.send({ type: 'listening', url: app.url });
}
if (!ending.signal.aborted) await once(ending.signal, 'abort');
await app.close();
process.exit();
