// Loaded by bin/nexus-store.cjs, which has looked at the version of Node before.
import { ExitCode } from './exit-code.ts';
import { run } from './run.ts';

const stopping = new AbortController();

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // The first one ends the work in good order, the second one ends it now.
    if (stopping.signal.aborted) process.exit(ExitCode.interrupted);
    stopping.abort();
  });
}

// Whoever reads our output may have seen enough, as `head` does.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit();
    throw error;
  });
}

process.exitCode = await run(process.argv.slice(2), {
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: stopping.signal,
});
