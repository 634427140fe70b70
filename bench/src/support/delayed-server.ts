import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** The server of `server-process.ts`, for one case. */
export interface DelayedServer {
  /** The base address of a server whose round trips take this long. */
  url(roundTripMs: number): string;
  /** When each entity of the collection `urgent` arrived, epoch milliseconds with fractions. */
  arrivals(): Promise<Readonly<Record<string, number>>>;
  close(): Promise<void>;
}

export async function startDelayedServer(): Promise<DelayedServer> {
  const child = fork(fileURLToPath(new URL('server-process.ts', import.meta.url)), {
    execArgv: [],
  });
  const [port] = (await once(child, 'message')) as [number];
  const origin = `http://127.0.0.1:${port}`;
  return {
    url: (roundTripMs) => `${origin}/${roundTripMs}`,
    arrivals: async () => {
      const response = await fetch(`${origin}/arrivals`);
      return (await response.json()) as Record<string, number>;
    },
    close: async () => {
      const exited = once(child, 'exit');
      child.disconnect();
      await exited;
    },
  };
}
