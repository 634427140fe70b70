import { parse, type CsvError, type InfoRecord, type Parser } from 'csv-parse';
import { MAX_RECORD_BYTES, TOO_LONG, UnreadableRest, type RecordRead } from './record.ts';

export interface CsvOptions {
  readonly delimiter: string;
  /** Turn numbers, `true`, `false` and empty fields into JSON values; else every field is a text. */
  readonly isTyped: boolean;
}

/**
 * Records of a CSV file, named by its first line.
 *
 * @throws UnreadableRest for a file that is not UTF-8 or has no usable first line, and at a quote out of place:
 * nobody can tell where its record ends, and the records behind it would be taken for part of it
 */
export async function* csvRecords(
  chunks: AsyncIterable<Uint8Array>,
  options: CsvOptions,
): AsyncGenerator<readonly RecordRead[], void> {
  const reader = new CsvReader(options);
  for await (const chunk of chunks) yield* reader.push(chunk);
  yield* reader.end();
}

class CsvReader {
  readonly #isTyped: boolean;
  readonly #parser: Parser;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  #columns: readonly string[] | undefined;
  #found: RecordRead[] = [];
  #failure: Error | undefined;
  /** The line behind the last record, and how many lines were empty up to there. */
  #next = { line: 1, empty: 0 };
  #surplus = 0;

  constructor(options: CsvOptions) {
    this.#isTyped = options.isTyped;
    this.#parser = parse({
      delimiter: options.delimiter,
      bom: true,
      relax_column_count: true,
      skip_empty_lines: true,
      max_record_size: MAX_RECORD_BYTES,
      // Records are taken here, in order with what is wrong, and none goes on through the stream.
      on_record: (record: string[], info) => this.#onRecord(record, info),
    });
    this.#parser.on('error', (error) => {
      this.#failure ??= error;
    });
    this.#parser.resume();
  }

  async *push(chunk: Uint8Array): AsyncGenerator<readonly RecordRead[], void> {
    const text = this.#decoded(chunk);
    await new Promise<void>((resolve) => {
      this.#parser.write(text, () => resolve());
    });
    yield this.#takeFound();
    this.#throwFailure();
  }

  async *end(): AsyncGenerator<readonly RecordRead[], void> {
    this.#decoded(undefined);
    await new Promise<void>((resolve) => {
      this.#parser.once('close', resolve);
      this.#parser.end();
    });
    yield this.#takeFound();
    this.#throwFailure();
  }

  #decoded(chunk: Uint8Array | undefined): string {
    try {
      return chunk === undefined
        ? this.#decoder.decode()
        : this.#decoder.decode(chunk, { stream: true });
    } catch {
      throw new UnreadableRest(
        this.#parser.info.lines,
        'the text is not UTF-8; save the file as UTF-8',
      );
    }
  }

  #onRecord(record: string[], info: InfoRecord): null {
    let breaks = 0;
    for (const field of record) {
      breaks += field.match(/\r\n|\n|\r/g)?.length ?? 0;
      // csv-parse counts these twice.
      this.#surplus += field.match(/\r\n/g)?.length ?? 0;
    }
    const end = info.lines - this.#surplus;
    const line = end - breaks;
    this.#next = { line: end + 1, empty: info.empty_lines };
    const columns = this.#columns;
    if (columns === undefined) this.#begin(record, line);
    else if (record.length === columns.length) {
      // Own fields also for names such as `__proto__`.
      const value = Object.fromEntries(
        columns.map((name, column) => [name, this.#field(record[column] ?? '')]),
      );
      this.#found.push({ line, value });
    } else {
      const problem = `${record.length} fields where the first line names ${columns.length}`;
      this.#found.push({ line, problem });
    }
    return null;
  }

  #begin(names: readonly string[], line: number): void {
    this.#columns = names;
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice === undefined) return;
    this.#failure = new UnreadableRest(
      line,
      `the first line names ${JSON.stringify(twice)} twice; it must name each column once`,
    );
  }

  #field(text: string): unknown {
    if (!this.#isTyped) return text;
    if (text === '') return null;
    if (text === 'true' || text === 'false') return text === 'true';
    // Only what is written back the same way is a number: not a code such as 007 or 1e5.
    return String(Number(text)) === text && Number.isFinite(Number(text)) ? Number(text) : text;
  }

  #takeFound(): readonly RecordRead[] {
    const found = this.#found;
    this.#found = [];
    return found;
  }

  #throwFailure(): void {
    const failure = this.#failure;
    if (failure === undefined) return;
    if (failure instanceof UnreadableRest) throw failure;
    const { line, empty } = this.#next;
    const begin = line + this.#parser.info.empty_lines - empty;
    throw new UnreadableRest(begin, csvReason(failure as CsvError));
  }
}

const REASONS: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: 'a quote is never closed',
  CSV_INVALID_CLOSING_QUOTE: 'something follows a closing quote; a quote inside is written twice',
  INVALID_OPENING_QUOTE: 'a quote in the middle of a field; put the whole field in quotes',
  CSV_MAX_RECORD_SIZE: `${TOO_LONG}; is a quote never closed?`,
};

/** What is wrong, without the data that csv-parse puts into its messages. */
function csvReason(error: CsvError | undefined): string {
  return REASONS[error?.code ?? ''] ?? 'not CSV';
}
