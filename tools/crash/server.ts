// The reference server, with a latency that varies, until it is killed.
import { setTimeout as sleep } from 'node:timers/promises';
import { serve } from '@nexus-store/server';
import { nextTask, tell } from './child-side.ts';
import { Random } from './random.ts';
import { userOfToken } from './users.ts';

const task = await nextTask();
const random = new Random(task.seed);
await serve({
  database: task.database,
  port: task.port,
  authenticate: async (token) => {
    await sleep(random.below(25));
    return userOfToken(token);
  },
});
await tell({ type: 'working' });
