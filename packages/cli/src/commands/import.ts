import { createReadStream, statSync } from 'node:fs';
import { NexusStore, type EntityId } from 'nexus-store';
import { CliError } from '../cli-error.ts';
import type { Command, CommandContext, CommandResult } from '../command.ts';
import { DATABASE_HELP, DATABASE_OPTION, databasePath, openDatabase } from '../database.ts';
import { ExitCode } from '../exit-code.ts';
import { counted, formatCount, formatSpan, plain } from '../format.ts';
import { priorityOf } from '../import-priority.ts';
import { BATCH_SIZE, Importer, type BadRecord, type ImportedRow } from '../importer.ts';
import type { Options } from '../options.ts';
import { ProgressBar } from '../progress-bar.ts';
import { formatOfName, readRecords, type ReadRecordsOptions } from '../records/read-records.ts';
import { UnreadableRest, type RecordRead } from '../records/record.ts';

/** A device must protect itself from a queue that grows for ever; whoever imports a file means it. */
const NO_LIMITS = { maxEntries: Number.MAX_SAFE_INTEGER, maxBytes: Number.MAX_SAFE_INTEGER };
/** Bad records that are named one by one. */
const NAMED = 10;

export const importCommand: Command = {
  name: 'import',
  summary: 'save the records of a file: NDJSON, JSON or CSV',
  arguments: ['FILE'],
  options: {
    ...DATABASE_OPTION,
    collection: { type: 'string' },
    id: { type: 'string' },
    'number-rows': { type: 'boolean' },
    format: { type: 'string' },
    delimiter: { type: 'string' },
    typed: { type: 'boolean' },
    priority: { type: 'string' },
    'priority-from': { type: 'string' },
    'priority-map': { type: 'string', multiple: true },
    'skip-invalid': { type: 'boolean' },
  },
  help: `nexus-store import FILE --collection NAME [options]

Saves every record of FILE on this device and queues it for the server. FILE may be of any size; - reads
standard input. Running the same import again, also after it was killed, changes nothing twice: a record
that is stored with the same value is left out, any other is saved under its id.

${DATABASE_HELP}
  --collection NAME    the collection to save into (required)
  --id FIELD           the field with the id (default: id)
  --number-rows        the file has no ids: use the number of the record, as text
  --format FORMAT      ndjson, json or csv (default: by the ending .ndjson .jsonl .json .csv .tsv)
  --delimiter TEXT     between the fields of CSV (default: a comma; a tab for .tsv)
  --typed              in CSV, read numbers, true, false and empty fields as such, not as text
  --priority NAME      critical, high, normal or low (default: normal)
  --priority-from FIELD
                       take the priority of each record from a field
  --priority-map MAP   what the values of that field mean: 'broken=critical,worn=high,*=low';
                       may be given several times, * is every other value
  --skip-invalid       leave out records that cannot be saved, count them, and go on`,

  async run(context: CommandContext): Promise<CommandResult> {
    const { options, env, stderr, signal } = context;
    const file = options.argument('FILE') as string;
    const collection = options.required('collection', 'reports');
    const rankOf = priorityOf(options);
    const reading = readingOf(file, options);
    const source = openSource(file);
    const database = await openDatabase(databasePath(options, env), {
      mayCreate: true,
      limits: NO_LIMITS,
    });
    const startedAt = performance.now();
    const progress = new ProgressBar(stderr, 'import');
    try {
      const idField = options.text('id') ?? 'id';
      const store = new NexusStore<ImportedRow, EntityId>({
        backend: database.backend,
        collection,
        id: idField,
        pull: false,
      });
      const importer = new Importer({
        store,
        idField,
        isNumbered: options.isSet('number-rows'),
        priorityOf: rankOf,
        compares: (await store.getAll({ limit: 1 }, { policy: 'cache-only' })).length > 0,
      });
      const run = new ImportRun(importer, options.isSet('skip-invalid'), signal);
      const onBatch = (): void =>
        progress.update(source.fraction(), importer.counts.read, 'records');
      await run.all(readRecords(source.chunks, reading), onBatch);
      progress.clear();
      return resultOf(run, {
        file,
        collection,
        database: database.path,
        durationMs: Math.round(performance.now() - startedAt),
      });
    } finally {
      progress.clear();
      source.close();
      await database.close();
    }
  },
};

/** One import: ends at the first bad record unless it is to skip them. */
class ImportRun {
  readonly importer: Importer;
  readonly firstBad: BadRecord[] = [];
  readonly #skipsInvalid: boolean;
  readonly #signal: AbortSignal;

  constructor(importer: Importer, skipsInvalid: boolean, signal: AbortSignal) {
    this.importer = importer;
    this.#skipsInvalid = skipsInvalid;
    this.#signal = signal;
  }

  async all(portions: AsyncIterable<readonly RecordRead[]>, onBatch: () => void): Promise<void> {
    let waiting: RecordRead[] = [];
    try {
      for await (const portion of portions) {
        this.#checkInterrupted();
        waiting.push(...portion);
        while (waiting.length >= BATCH_SIZE) {
          await this.#save(waiting.splice(0, BATCH_SIZE));
          this.#checkInterrupted();
        }
        onBatch();
      }
    } catch (error) {
      if (!(error instanceof UnreadableRest)) throw readFailure(error);
      await this.#save(waiting);
      waiting = [];
      throw this.#stopAt(error.line, error.message, false);
    }
    await this.#save(waiting);
  }

  async #save(batch: readonly RecordRead[]): Promise<void> {
    if (batch.length === 0) return;
    const end = this.#skipsInvalid
      ? batch.length
      : batch.findIndex((record) => 'problem' in record);
    const bad = await this.importer.save(end === -1 ? batch : batch.slice(0, end + 1));
    for (const record of bad) {
      if (this.firstBad.length < NAMED) this.firstBad.push(record);
    }
    const [first] = bad;
    if (first !== undefined && !this.#skipsInvalid) {
      throw this.#stopAt(first.line, first.problem, true);
    }
  }

  #stopAt(line: number, problem: string, canSkip: boolean): CliError {
    const { saved, unchanged } = this.importer.counts;
    const skip = canSkip ? ', or give --skip-invalid to leave such records out' : '';
    return new CliError(
      'cli/invalid-record',
      `line ${formatCount(line)}: ${plain(problem, 300)}. ${counted(saved + unchanged, 'record')} of the file ${saved + unchanged === 1 ? 'is' : 'are'} safe; correct the line and run the same command again${skip}.`,
      { facts: { line, problem, ...this.importer.counts } },
    );
  }

  #checkInterrupted(): void {
    if (!this.#signal.aborted) return;
    const { saved, unchanged } = this.importer.counts;
    throw new CliError(
      'cli/interrupted',
      `stopped; ${counted(saved + unchanged, 'record')} of the file ${saved + unchanged === 1 ? 'is' : 'are'} safe. Run the same command again to go on.`,
      { exitCode: ExitCode.interrupted, facts: { ...this.importer.counts } },
    );
  }
}

interface ImportFacts {
  readonly file: string;
  readonly collection: string;
  readonly database: string;
  readonly durationMs: number;
}

function resultOf(run: ImportRun, about: ImportFacts): CommandResult {
  const { saved, unchanged, invalid, byPriority } = run.importer.counts;
  const urgency = Object.entries(byPriority)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${name} ${formatCount(count)}`)
    .join(', ');
  const lines = [
    `${counted(saved, 'record')} saved in ${formatSpan(about.durationMs)}${urgency === '' ? '' : ` (${urgency})`}, waiting in ${about.database}`,
  ];
  if (unchanged > 0) lines.push(`${counted(unchanged, 'record')} stored already, left as they are`);
  if (invalid > 0) {
    lines.push(`${counted(invalid, 'record')} left out:`);
    for (const { line, problem } of run.firstBad) {
      lines.push(`  line ${formatCount(line)}: ${plain(problem, 300)}`);
    }
    if (invalid > run.firstBad.length)
      lines.push(`  and ${formatCount(invalid - run.firstBad.length)} more`);
  }
  return {
    text: lines.join('\n'),
    json: { ...about, ...run.importer.counts, invalidRecords: run.firstBad },
  };
}

function readingOf(file: string, options: Options): ReadRecordsOptions {
  const byName = formatOfName(file);
  const format = options.oneOf('format', ['ndjson', 'json', 'csv']) ?? byName?.format;
  if (format === undefined) {
    const what = file === '-' ? 'standard input' : plain(file);
    throw new CliError(
      'usage/missing-argument',
      `the format of ${what} is not known; give --format ndjson, json or csv`,
    );
  }
  const delimiter = options.text('delimiter') ?? byName?.delimiter;
  if (delimiter !== undefined && /^$|["\r\n]/.test(delimiter)) {
    throw new CliError(
      'usage/invalid-argument',
      '--delimiter must be a text without quotes and line breaks',
    );
  }
  return {
    format,
    isTyped: options.isSet('typed'),
    ...(delimiter === undefined ? {} : { delimiter: delimiter === '\\t' ? '\t' : delimiter }),
  };
}

interface Source {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** How much of the file was read; null if its size is not known. */
  fraction(): number | null;
  close(): void;
}

const CHUNK_BYTES = 256 * 1024;

function openSource(file: string): Source {
  if (file === '-') {
    return { chunks: process.stdin, fraction: () => null, close: () => process.stdin.destroy() };
  }
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined) {
    throw new CliError('cli/unreadable', `there is no file ${plain(file, 200)}; check the path`);
  }
  if (found.isDirectory()) {
    throw new CliError('cli/unreadable', `${plain(file, 200)} is a folder; name one file in it`);
  }
  const stream = createReadStream(file, { highWaterMark: CHUNK_BYTES });
  return {
    chunks: stream,
    fraction: () => (found.size === 0 ? null : stream.bytesRead / found.size),
    close: () => stream.destroy(),
  };
}

function readFailure(error: unknown): unknown {
  const { code, path } = error as { code?: unknown; path?: unknown };
  if (typeof code !== 'string' || !/^E[A-Z]+$/.test(code)) return error;
  const file = typeof path === 'string' ? plain(path, 200) : 'the file';
  const reason = code === 'EACCES' ? 'check its permissions' : `the system says ${code}`;
  return new CliError('cli/unreadable', `${file} cannot be read; ${reason}`, { cause: error });
}
