import {
  BackgroundSyncConfig,
  type Duration,
  type StoreBackend,
  type SyncEvent,
  type SyncReport,
  type WithoutStore,
} from 'nexus-store';
import { httpRemote } from 'nexus-store/http';
import { NodeSyncService } from 'nexus-store/node';
import { CliError } from '../cli-error.ts';
import type { Command, CommandContext } from '../command.ts';
import { DATABASE_HELP, DATABASE_OPTION, databasePath, openDatabase } from '../database.ts';
import { counted, formatCount, formatSpan, plain } from '../format.ts';
import type { Options } from '../options.ts';
import {
  COLLECTION_HELP,
  COLLECTION_OPTIONS,
  SERVER_OPTIONS,
  serverAccess,
  withoutStore,
  type ServerAccess,
} from '../server-access.ts';
import { waitingOf } from './status.ts';

export const daemonCommand: Command = {
  name: 'daemon',
  summary: 'sync in the background while other programs write',
  options: {
    ...DATABASE_OPTION,
    ...SERVER_OPTIONS,
    ...COLLECTION_OPTIONS,
    interval: { type: 'string' },
    grace: { type: 'string' },
    timeout: { type: 'string' },
    concurrency: { type: 'string' },
  },
  help: `nexus-store daemon --url URL [options]

Keeps a database in sync until Ctrl-C or SIGTERM: what other programs write to it is noticed and sent by
itself, what is critical at once. Before it ends it sends what waits. Several daemons may run on one
database; they share the work. The token is read from $NEXUS_STORE_TOKEN or a file, and is never stored.

${DATABASE_HELP}
  --url URL            the server (default: $NEXUS_STORE_URL)
  --token-file FILE    the file with the bearer token (default: $NEXUS_STORE_TOKEN)
${COLLECTION_HELP}
  --interval TIME      sync at least this often, whatever happens (default: 15m)
  --grace TIME         the longest that sending may hold back the end (default: 5s)
  --timeout TIME       the longest one request may take (default: 30s)
  --concurrency N      requests in flight (default: 4)

With --json each line is one JSON document: { at, type, ... }, with the types started, synced, blocked,
unblocked, stopping and stopped.`,

  async run(context: CommandContext): Promise<null> {
    const { options } = context;
    const access = serverAccess(context, 'daemon');
    const grace = options.duration('grace') ?? '5s';
    const interval = intervalOf(options);
    const { path, backend, close } = await openToSync(context, access);
    const service = new NodeSyncService({ backend, path, drainOnExit: false, grace });
    try {
      const report = new DaemonReport(context);
      report.started(backend, path, access.url);
      const stop = report.follow(backend);
      await service.initialize({
        minInterval: interval,
        // Who starts a daemon wants it to work, also on a battery.
        requiresBatteryNotLow: false,
      });
      await aborted(context.signal);
      report.stopping(backend);
      await service.drain({ grace });
      stop();
      report.stopped(backend);
    } finally {
      await service.dispose();
      await close();
    }
    return null;
  },
};

/** @throws CliError before anything is opened: what the library says later names no option */
function intervalOf(options: Options): Duration {
  const minInterval = options.duration('interval') ?? '15m';
  try {
    return new BackgroundSyncConfig({ minInterval }).minInterval;
  } catch (cause) {
    const message = `--interval must be more than nothing and 30d at most, not ${plain(String(minInterval))}`;
    throw new CliError('usage/invalid-argument', message, { cause });
  }
}

async function openToSync(
  { options, env }: CommandContext,
  access: ServerAccess,
): Promise<Awaited<ReturnType<typeof openDatabase>>> {
  const timeout = options.duration('timeout', 1);
  const concurrency = options.count('concurrency', 1);
  const without = withoutStore(options);
  return openDatabase(databasePath(options, env), {
    autoSync: true,
    remote: remoteOf(access, without),
    withoutStore: without,
    ...(timeout === undefined ? {} : { requestTimeout: timeout }),
    ...(concurrency === undefined ? {} : { concurrency }),
  });
}

function remoteOf(
  access: ServerAccess,
  { pull = [] }: WithoutStore,
): ReturnType<typeof httpRemote> {
  const isPulling = pull.length > 0;
  return httpRemote({ ...access, pull: isPulling, events: isPulling });
}

/** Nothing else of a daemon keeps its process alive while it has nothing to do. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const keepAlive = setInterval(() => {}, 3_600_000);
    const end = (): void => {
      clearInterval(keepAlive);
      resolve();
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}

type Block = NonNullable<StoreBackend['status']['current']['blockedBy']>['reason'];

const BLOCKS: Readonly<Record<Block, string>> = {
  offline: 'the server cannot be reached; it is tried again by itself',
  unauthorised: 'the server refused the credentials; start again with a valid token',
  gate: 'the server asked to wait, or fails; it is tried again by itself',
  paused: 'the app paused its sync; it goes on when the app resumes it',
  'upgrade-required': 'the server wants a newer version of the app',
};

const NOT_A_SERVER =
  'nothing at this --url speaks the sync protocol; check it, its path too; it is tried again by itself';

/** What a daemon says: one line for each thing that happened. */
class DaemonReport {
  readonly #print: CommandContext['print'];
  #block: Block | null = null;
  /** Before the first try, what blocks is what blocked somebody before. */
  #hasTried = false;

  constructor({ print }: CommandContext) {
    this.#print = print;
  }

  started(backend: StoreBackend, path: string, url: string): void {
    const waiting = waitingOf(backend.status.current);
    const text = `syncing ${plain(path, 200)} with ${plain(url, 200)}; ${waits(waiting)}; stop with Ctrl-C`;
    this.#line('started', text, { database: path, url, waiting });
  }

  /** Returns how to stop. */
  follow(backend: StoreBackend): () => void {
    const stops = [
      backend.on((event) => this.#onEvent(backend, event)),
      backend.status.subscribe(({ blockedBy }) =>
        this.#onBlock(blockedBy?.reason ?? null, backend),
      ),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }

  stopping(backend: StoreBackend): void {
    const waiting = waitingOf(backend.status.current);
    const what =
      waiting === 0 ? 'nothing waits' : `sending ${counted(waiting, 'entry', 'entries')}`;
    this.#line('stopping', `stopping; ${what}`, { waiting });
  }

  stopped(backend: StoreBackend): void {
    const waiting = waitingOf(backend.status.current);
    const safe = waiting === 0 ? 'nothing is left' : `${waits(waiting)}, safe in the queue`;
    this.#line('stopped', `stopped; ${safe}`, { waiting });
  }

  #onEvent(backend: StoreBackend, event: SyncEvent): void {
    if (event.type !== 'sync-finished') return;
    const { report } = event;
    const { pushed, pulled, conflicts, dead, stoppedBy } = report;
    if (!this.#hasTried) {
      this.#hasTried = true;
      const { blockedBy } = backend.status.current;
      if (stoppedBy !== 'drained') this.#onBlock(blockedBy?.reason ?? null, backend);
    }
    if (pushed + pulled + conflicts + dead === 0) return;
    const { dead: deadLetters } = backend.status.current;
    this.#line('synced', syncedText(report), { ...report, deadLetters });
  }

  #onBlock(block: Block | null, backend: StoreBackend): void {
    const before = this.#block;
    if (block === before || !this.#hasTried) return;
    this.#block = block;
    const { nextAttemptAt, blockedBy, lastFailure } = backend.status.current;
    if (block === null) {
      this.#line('unblocked', 'the way to the server is free again', {});
      return;
    }
    const isElsewhere = block === 'gate' && lastFailure?.code === 'remote/protocol';
    this.#line('blocked', isElsewhere ? NOT_A_SERVER : BLOCKS[block], {
      reason: block,
      until: blockedBy?.until ?? null,
      nextAttemptAt,
      failure: lastFailure?.code ?? null,
    });
  }

  #line(type: string, text: string, facts: Readonly<Record<string, unknown>>): void {
    const at = Date.now();
    const time = new Date(at).toTimeString().slice(0, 8);
    this.#print({ text: `${time}  ${text}`, json: { at, type, ...facts } });
  }
}

function waits(count: number): string {
  if (count === 0) return 'nothing waits';
  return count === 1 ? '1 entry waits' : `${formatCount(count)} entries wait`;
}

function syncedText({
  pushed,
  pulled,
  conflicts,
  dead,
  remaining,
  durationMs,
}: SyncReport): string {
  const parts = [
    ...(pushed > 0 ? [`sent ${counted(pushed, 'entry', 'entries')}`] : []),
    ...(pulled > 0 ? [`fetched ${counted(pulled, 'row')}`] : []),
    ...(conflicts > 0 ? [`met ${counted(conflicts, 'conflict')}`] : []),
    ...(dead > 0 ? [`had ${counted(dead, 'entry', 'entries')} refused`] : []),
  ];
  return `${parts.join(', ')} in ${formatSpan(durationMs)}; ${waits(remaining)}`;
}
