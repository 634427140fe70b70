/** The server of the story: the reference server, a little farther away than it is. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { serve, type RunningServer } from '@nexus-store/server';
import { belongToStory } from './child-side.ts';
import type { ServerMessage } from './messages.ts';
import { TEAM, TOKEN } from './phone.ts';

const LATENCY_MS = 40;
const LOOK_MS = 80;

const [folder = '', wantedPort = '0'] = process.argv.slice(2);
belongToStory(folder);
const tell = (message: ServerMessage): void => void process.send?.(message);

const server = await start(Number(wantedPort));
tell({ type: 'listening', url: server.url, isWantedPort: server.port === Number(wantedPort) });

let last = 0;
const look = async (): Promise<void> => {
  const arrivals = await server.receiver.arrivals(TEAM, last);
  last = arrivals.at(-1)?.arrival ?? last;
  if (arrivals.length === 0) return;
  tell({
    type: 'arrived',
    reports: arrivals.map(({ entity, entryId, arrival, at }) => ({
      reportId: JSON.parse(entity) as string,
      entryId,
      arrival,
      at,
    })),
  });
};
const timer = setInterval(() => void look(), LOOK_MS);
process.on('message', (wish) => {
  if (wish === 'flush') void look().then(() => tell({ type: 'flushed' }));
  if (wish !== 'close') return;
  clearInterval(timer);
  void server.close().then(() => process.disconnect());
});

/** Another program may have taken the port meanwhile: any other will do. */
async function start(port: number): Promise<RunningServer> {
  const options = {
    database: join(folder, 'server.db'),
    authenticate: async (token: string) => {
      await sleep(LATENCY_MS);
      return token === TOKEN ? TEAM : null;
    },
  };
  try {
    return await serve({ ...options, port });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    return serve({ ...options, port: 0 });
  }
}
