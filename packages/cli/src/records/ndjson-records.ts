import { MAX_RECORD_BYTES, parseRecord, TOO_LONG, type RecordRead } from './record.ts';

const NEWLINE = 0x0a;

/** Records of a file with one JSON value on each line. Empty lines are passed over. */
export async function* ndjsonRecords(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<readonly RecordRead[], void> {
  const lines = new LineSplitter();
  for await (const chunk of chunks) yield lines.push(chunk);
  yield lines.end();
}

class LineSplitter {
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #line = 1;

  push(chunk: Uint8Array): RecordRead[] {
    const found: RecordRead[] = [];
    let from = 0;
    for (let to = chunk.indexOf(NEWLINE); to !== -1; to = chunk.indexOf(NEWLINE, from)) {
      this.#add(chunk.subarray(from, to));
      this.#finish(found);
      from = to + 1;
    }
    this.#add(chunk.subarray(from));
    return found;
  }

  end(): RecordRead[] {
    const found: RecordRead[] = [];
    this.#finish(found);
    return found;
  }

  #add(part: Uint8Array): void {
    this.#bytes += part.length;
    // The rest of a line that is too long only counts.
    if (this.#bytes <= MAX_RECORD_BYTES) this.#parts.push(part);
  }

  #finish(found: RecordRead[]): void {
    const line = this.#line;
    const bytes = this.#parts.length === 1 ? this.#parts[0] : Buffer.concat(this.#parts);
    if (this.#bytes > MAX_RECORD_BYTES) found.push({ line, problem: TOO_LONG });
    else if (bytes !== undefined && !isBlank(bytes)) found.push(parseRecord(bytes, line));
    this.#parts = [];
    this.#bytes = 0;
    this.#line += 1;
  }
}

function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}
