#!/usr/bin/env node
/**
 * Runs the reference server from the environment:
 *
 * - `NEXUS_TOKENS`: `token=user` pairs, separated by commas (required)
 * - `NEXUS_DATABASE`: path of the SQLite file (default `nexus-server.db`)
 * - `HOST` (default `127.0.0.1`), `PORT` (default `8787`), `NEXUS_PATH` (default none)
 * - `NEXUS_ORIGINS`: web origins, separated by commas, or `*`
 */
import { serve } from './serve.ts';
import type { RunningServer } from './serve.ts';

try {
  const server = await serve(optionsOf(process.env));
  console.log(`nexus-store server: ${server.url}`);
  stopOnSignals(server);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

function optionsOf(env: NodeJS.ProcessEnv): Parameters<typeof serve>[0] {
  const origins = env['NEXUS_ORIGINS'];
  return {
    database: env['NEXUS_DATABASE'] ?? 'nexus-server.db',
    authenticate: tokensOf(env['NEXUS_TOKENS'] ?? ''),
    port: Number(env['PORT'] ?? 8787),
    host: env['HOST'] ?? '127.0.0.1',
    path: env['NEXUS_PATH'] ?? '',
    ...(origins !== undefined && { allowedOrigins: origins === '*' ? '*' : origins.split(',') }),
    onError: (error) => console.error(error),
  };
}

function tokensOf(text: string): ReadonlyMap<string, string> {
  const pairs = text
    .split(',')
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '')
    .map((pair): [string, string] => {
      // Tokens may end in `=`; the user's id is what follows the last one.
      const at = pair.lastIndexOf('=');
      return [pair.slice(0, at), pair.slice(at + 1)];
    });
  if (pairs.length === 0 || pairs.some(([token, user]) => token === '' || user === '')) {
    throw new Error('NEXUS_TOKENS must hold token=user pairs, separated by commas');
  }
  return new Map(pairs);
}

function stopOnSignals(server: RunningServer): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      server.close().catch((error: unknown) => {
        console.error(error);
        process.exitCode = 1;
      });
    });
  }
}
