import {
  MAX_RECORD_BYTES,
  parseRecord,
  TOO_LONG,
  UnreadableRest,
  type RecordRead,
} from './record.ts';

const NEWLINE = 0x0a;
const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const ARRAY_OPEN = 0x5b;
const ARRAY_CLOSE = 0x5d;
const OBJECT_OPEN = 0x7b;
const OBJECT_CLOSE = 0x7d;

/**
 * Records of a JSON file: the elements of its array, or the objects it has one after another. Finds
 * where each begins and ends without reading the whole file into memory.
 *
 * @throws UnreadableRest where the file is no such array
 */
export async function* jsonRecords(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<readonly RecordRead[], void> {
  const splitter = new ElementSplitter();
  for await (const chunk of chunks) yield* splitter.push(chunk);
  splitter.end();
}

class ElementSplitter {
  /** `value` and `separator`: what must come next between the elements of the array. */
  #state: 'start' | 'value' | 'element' | 'separator' | 'end' = 'start';
  #isArray = false;
  #isFirst = true;
  #depth = 0;
  #isInText = false;
  #isEscaped = false;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #line = 1;
  #elementLine = 1;
  #elementFrom = -1;
  #found: RecordRead[] = [];

  /** What was found is given out even if the rest turns out to be unreadable. */
  *push(chunk: Uint8Array): Generator<readonly RecordRead[], void> {
    this.#elementFrom = this.#state === 'element' ? 0 : -1;
    try {
      for (let index = 0; index < chunk.length; index += 1) {
        this.#take(chunk[index] as number, index, chunk);
      }
      if (this.#state === 'element') this.#add(chunk.subarray(this.#elementFrom));
    } catch (error) {
      yield this.#takeFound();
      throw error;
    }
    yield this.#takeFound();
  }

  end(): void {
    if (this.#state === 'end' || this.#state === 'start' || (!this.#isArray && this.#depth === 0)) {
      return;
    }
    throw new UnreadableRest(
      this.#line,
      'the file ends in the middle of its JSON; was it cut short?',
    );
  }

  #takeFound(): readonly RecordRead[] {
    const found = this.#found;
    this.#found = [];
    return found;
  }

  #take(byte: number, index: number, chunk: Uint8Array): void {
    if (byte === NEWLINE) this.#line += 1;
    if (this.#state === 'element') {
      this.#takeInElement(byte, index, chunk);
    } else if (!isSpace(byte)) {
      this.#takeBetween(byte, index);
    }
  }

  #takeBetween(byte: number, index: number): void {
    if (this.#state === 'start') {
      this.#isArray = byte === ARRAY_OPEN;
      this.#state = 'value';
      if (this.#isArray) return;
    }
    if (this.#state === 'end') throw this.#unreadable('something follows the end of the array');
    if (this.#isArray) {
      if (byte === ARRAY_CLOSE && (this.#state === 'separator' || this.#isFirst)) {
        this.#state = 'end';
        return;
      }
      if (this.#state === 'separator') {
        if (byte !== COMMA) throw this.#unreadable('a comma is missing between two elements');
        this.#state = 'value';
        return;
      }
      if (byte === COMMA || byte === ARRAY_CLOSE) {
        throw this.#unreadable('there is a comma too many');
      }
    } else if (byte !== OBJECT_OPEN) {
      throw this.#unreadable('neither an array nor objects; use --format for another format');
    }
    this.#isFirst = false;
    this.#state = 'element';
    this.#elementFrom = index;
    this.#elementLine = this.#line;
    this.#depth = isOpening(byte) ? 1 : 0;
    this.#isInText = byte === QUOTE;
    this.#isEscaped = false;
  }

  #takeInElement(byte: number, index: number, chunk: Uint8Array): void {
    if (this.#isInText) {
      if (this.#isEscaped) this.#isEscaped = false;
      else if (byte === BACKSLASH) this.#isEscaped = true;
      else if (byte === QUOTE) this.#isInText = false;
    } else if (byte === QUOTE) {
      this.#isInText = true;
    } else if (isOpening(byte)) {
      this.#depth += 1;
    } else if (this.#depth > 0) {
      if (isClosing(byte) && --this.#depth === 0) this.#finish(chunk, index + 1, 'separator');
    } else if (byte === COMMA) {
      this.#finish(chunk, index, 'value');
    } else if (byte === ARRAY_CLOSE) {
      this.#finish(chunk, index, 'end');
    } else if (byte === OBJECT_CLOSE) {
      throw this.#unreadable('a closing bracket without its opening one');
    }
  }

  #finish(chunk: Uint8Array, to: number, next: 'separator' | 'value' | 'end'): void {
    this.#add(chunk.subarray(this.#elementFrom, to));
    const line = this.#elementLine;
    if (this.#bytes > MAX_RECORD_BYTES) this.#found.push({ line, problem: TOO_LONG });
    else this.#found.push(parseRecord(Buffer.concat(this.#parts), line));
    this.#parts = [];
    this.#bytes = 0;
    this.#state = this.#isArray ? next : 'value';
  }

  #add(part: Uint8Array): void {
    this.#bytes += part.length;
    if (this.#bytes <= MAX_RECORD_BYTES) this.#parts.push(part);
  }

  #unreadable(reason: string): UnreadableRest {
    return new UnreadableRest(this.#line, reason);
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === NEWLINE || byte === 0x0d || byte === 0x09;
}

function isOpening(byte: number): boolean {
  return byte === OBJECT_OPEN || byte === ARRAY_OPEN;
}

function isClosing(byte: number): boolean {
  return byte === OBJECT_CLOSE || byte === ARRAY_CLOSE;
}
