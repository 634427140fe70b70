import { PRIORITIES, type Entry, type StoreBackend, type SyncPriority } from 'nexus-store';
import { CliError } from '../cli-error.ts';
import type { Command, CommandContext, CommandResult } from '../command.ts';
import { DATABASE_HELP, DATABASE_OPTION, databasePath, openForReading } from '../database.ts';
import { counted, facts, formatCount, formatInstant, formatSpan, plain, table } from '../format.ts';
import type { Options } from '../options.ts';

const STATES = ['pending', 'claimed', 'conflict', 'dead'] as const;
const DEFAULT_LIMIT = 20;
const PAYLOAD_WIDTH = 2_000;

export const inspectCommand: Command = {
  name: 'inspect',
  summary: 'list the entries of the queue, or show one',
  arguments: ['ID?'],
  options: {
    ...DATABASE_OPTION,
    state: { type: 'string' },
    priority: { type: 'string' },
    collection: { type: 'string' },
    limit: { type: 'string' },
    payload: { type: 'boolean' },
  },
  help: `nexus-store inspect [ID] [options]

Lists the entries of the queue: what may be sent now, in the order of sending; what waits for something,
such as an older entry of its entity, oldest first; dead letters last. Or shows the one entry ID. Changes
nothing. What was written and what the server answered is shown only on request.

${DATABASE_HELP}
  --state STATE        pending, claimed, conflict or dead (default: all)
  --priority NAME      critical, high, normal or low
  --collection NAME    of this collection only
  --limit N            show at most N entries (default: ${DEFAULT_LIMIT})
  --payload            show what was written, and the server's own words`,

  async run({ options, env }: CommandContext): Promise<CommandResult> {
    const database = await openForReading(databasePath(options, env));
    const withPayload = options.isSet('payload');
    try {
      const id = options.argument('ID');
      if (id !== undefined) return oneEntry(await requireEntry(database.backend, id), withPayload);
      return await listed(database.backend, options, withPayload);
    } finally {
      await database.close();
    }
  },
};

/** @throws CliError `cli/entry-not-found` */
export async function requireEntry(backend: StoreBackend, id: string): Promise<Entry> {
  const entry = await backend.entry(id);
  if (entry !== undefined) return entry;
  throw new CliError(
    'cli/entry-not-found',
    `there is no entry ${plain(id)} in the queue; it may have been sent. "nexus-store inspect" lists what is there`,
  );
}

async function listed(
  backend: StoreBackend,
  options: Options,
  withPayload: boolean,
): Promise<CommandResult> {
  const state = options.oneOf('state', STATES);
  const priority = options.priority('priority');
  const collection = options.text('collection');
  const limit = options.count('limit', 1) ?? DEFAULT_LIMIT;
  const status = backend.status.current;
  const isWhole = state === undefined && priority === undefined && collection === undefined;
  if (isWhole && status.dead + status.conflicts === 0) {
    // A queue may hold millions: the counts are known, and the head of the list is enough.
    const shown = await backend.pendingChanges({ limit });
    return listing(status.pending, shown, withPayload);
  }
  const ofCollection = collection === undefined ? {} : { collection };
  const pending = state === 'dead' ? [] : await backend.pendingChanges(ofCollection);
  const dead =
    state === undefined || state === 'dead' ? await backend.deadLetters(ofCollection) : [];
  const matching = [...pending, ...dead].filter(
    (entry) =>
      (state === undefined || entry.state === state) &&
      (priority === undefined || entry.priority === priority),
  );
  return listing(countsOf(matching), matching.slice(0, limit), withPayload);
}

type Counts = Readonly<Record<SyncPriority, number>>;

function listing(counts: Counts, shown: readonly Entry[], withPayload: boolean): CommandResult {
  const total = PRIORITIES.reduce((sum, priority) => sum + counts[priority], 0);
  return {
    text: listText(total, counts, shown, withPayload),
    json: {
      total,
      byPriority: counts,
      entries: shown.map((entry) => entryJson(entry, withPayload)),
    },
  };
}

function listText(
  total: number,
  counts: Counts,
  shown: readonly Entry[],
  withPayload: boolean,
): string {
  if (total === 0) return 'no entries';
  const byPriority = PRIORITIES.filter((name) => counts[name] > 0)
    .map((name) => `${name} ${formatCount(counts[name])}`)
    .join(', ');
  const now = Date.now();
  const titles = ['ID', 'PRIORITY', 'STATE', 'OPERATION', 'ENTITY', 'AGE', 'ATTEMPTS', 'NOTE'];
  if (withPayload) titles.push('PAYLOAD');
  const rows = shown.map((entry) => [
    entry.id,
    priorityText(entry),
    entry.state,
    entry.operation,
    plain(`${entry.collection}/${entry.entityId}`, 40),
    formatSpan(now - entry.enqueuedAt),
    String(entry.attempts),
    noteOf(entry, now),
    ...(withPayload ? [plain(JSON.stringify(payloadOf(entry)) ?? '', 120)] : []),
  ]);
  const lines = [`${counted(total, 'entry', 'entries')} (${byPriority})`, '', table(titles, rows)];
  if (total > shown.length) {
    lines.push('', `${formatCount(total - shown.length)} more; --limit shows them`);
  }
  return lines.join('\n');
}

function oneEntry(entry: Entry, withPayload: boolean): CommandResult {
  const now = Date.now();
  const pairs: [string, string][] = [
    ['entry', entry.id],
    ['state', entry.state],
    ['priority', priorityText(entry)],
    ['operation', entry.command === null ? entry.operation : `command ${plain(entry.command)}`],
    ['entity', plain(`${entry.collection}/${entry.entityId}`, 200)],
    ['written', formatInstant(entry.enqueuedAt, now)],
    ['attempts', String(entry.attempts)],
    ['key', entry.idempotencyKey],
  ];
  if (entry.group !== null) pairs.push(['transaction', plain(entry.group)]);
  if (entry.after.length > 0) pairs.push(['after', entry.after.join(', ')]);
  if (entry.notBefore !== null) pairs.push(['not before', formatInstant(entry.notBefore, now)]);
  if (entry.expiresAt !== null) pairs.push(['expires', formatInstant(entry.expiresAt, now)]);
  if (entry.isAmbiguous) pairs.push(['outcome', 'unknown; it is sent again with the same key']);
  if (entry.lastFailure !== null) {
    const { code, status, at, detail } = entry.lastFailure;
    const number = status === undefined ? '' : ` (${status})`;
    pairs.push(['last failure', `${code}${number}, ${formatInstant(at, now)}`]);
    if (withPayload && detail !== undefined)
      pairs.push(['server said', plain(detail, PAYLOAD_WIDTH)]);
  }
  if (withPayload) {
    pairs.push(['payload', plain(JSON.stringify(payloadOf(entry)) ?? '', PAYLOAD_WIDTH)]);
  }
  return { text: facts(pairs), json: { entry: entryJson(entry, withPayload) } };
}

function priorityText(entry: Entry): string {
  return entry.priority === entry.effectivePriority
    ? entry.priority
    : `${entry.priority} (goes as ${entry.effectivePriority})`;
}

function noteOf(entry: Entry, now: number): string {
  const { lastFailure, notBefore } = entry;
  const notes: string[] = [];
  if (entry.isAmbiguous) notes.push('outcome unknown');
  if (lastFailure !== null) {
    notes.push(
      lastFailure.status === undefined
        ? lastFailure.code
        : `${lastFailure.code} ${lastFailure.status}`,
    );
  }
  if (notBefore !== null && notBefore > now) notes.push(`waits ${formatSpan(notBefore - now)}`);
  return notes.join(', ');
}

function countsOf(entries: readonly Entry[]): Counts {
  const counts = { critical: 0, high: 0, normal: 0, low: 0 };
  for (const { priority } of entries) counts[priority] += 1;
  return counts;
}

/** An entry as `--json` shows it. */
function entryJson(entry: Entry, withPayload: boolean): Record<string, unknown> {
  const { payload: _, lastFailure, ...rest } = entry;
  if (withPayload) return { ...rest, lastFailure, payload: payloadOf(entry) };
  if (lastFailure === null) return { ...rest, lastFailure };
  const { detail: __, ...failure } = lastFailure;
  return { ...rest, lastFailure: failure };
}

/** What JSON cannot hold is named by its kind. */
function payloadOf(entry: Entry): unknown {
  return JSON.parse(JSON.stringify(entry.payload ?? null, jsonReplacer)) as unknown;
}

function jsonReplacer(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Map || value instanceof Set) return [...value];
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  if (value instanceof ArrayBuffer) return `${value.byteLength} bytes`;
  return value;
}
