import { csvRecords } from './csv-records.ts';
import { jsonRecords } from './json-records.ts';
import { ndjsonRecords } from './ndjson-records.ts';
import { UnreadableRest, type RecordRead } from './record.ts';

export type RecordFormat = 'ndjson' | 'json' | 'csv';

export interface ReadRecordsOptions {
  readonly format: RecordFormat;
  /** Between the fields of CSV. @defaultValue `,` */
  readonly delimiter?: string;
  /** In CSV, read numbers, `true`, `false` and empty fields as JSON values. @defaultValue `false` */
  readonly isTyped?: boolean;
}

/**
 * Records from the bytes of a file, in portions as they arrive, in memory that does not grow with it.
 * What is wrong with one record comes in its place; what makes the rest unreadable is thrown.
 */
export async function* readRecords(
  chunks: AsyncIterable<Uint8Array>,
  options: ReadRecordsOptions,
): AsyncGenerator<readonly RecordRead[], void> {
  const clean = withoutMark(chunks);
  if (options.format === 'ndjson') yield* ndjsonRecords(clean);
  else if (options.format === 'json') yield* jsonRecords(clean);
  else {
    yield* csvRecords(clean, {
      delimiter: options.delimiter ?? ',',
      isTyped: options.isTyped ?? false,
    });
  }
}

/** The format a file's name promises; undefined if it promises none. */
export function formatOfName(
  name: string,
): { format: RecordFormat; delimiter?: string } | undefined {
  const ending = /\.([a-z0-9]+)$/i.exec(name)?.[1]?.toLowerCase();
  if (ending === 'ndjson' || ending === 'jsonl') return { format: 'ndjson' };
  if (ending === 'json') return { format: 'json' };
  if (ending === 'csv') return { format: 'csv' };
  if (ending === 'tsv') return { format: 'csv', delimiter: '\t' };
  return undefined;
}

/** Without the mark that some editors put before UTF-8; refuses UTF-16 by its own. */
async function* withoutMark(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  let head: Uint8Array | null = new Uint8Array();
  for await (const chunk of chunks) {
    if (head === null) {
      yield chunk;
      continue;
    }
    const begin: Uint8Array = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
    head = begin.length < 3 ? begin : null;
    if (head === null) yield unmarked(begin);
  }
  if (head !== null) yield unmarked(head);
}

function unmarked(begin: Uint8Array): Uint8Array {
  const [a, b, c] = begin;
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) {
    throw new UnreadableRest(1, 'the text is UTF-16; save the file as UTF-8');
  }
  return a === 0xef && b === 0xbb && c === 0xbf ? begin.subarray(3) : begin;
}
