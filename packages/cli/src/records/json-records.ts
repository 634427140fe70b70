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
const COLON = 0x3a;
const ARRAY_OPEN = 0x5b;
const ARRAY_CLOSE = 0x5d;
const OBJECT_OPEN = 0x7b;
const OBJECT_CLOSE = 0x7d;

/** Deeper than any store takes, and far less than what would fill the memory. */
const MAX_DEPTH = 100_000;

const STRAY_QUOTE =
  'a quote is out of place: one inside a text needs a backslash, and each text its end';

/**
 * Records of a JSON file: the elements of its array, or the objects it has one after another. Finds
 * where each begins and ends without reading the whole file into memory.
 *
 * A record that is no JSON is that record's problem only as long as it is certain where it ends. Quotes and
 * brackets that do not match may have swallowed those that follow.
 *
 * @throws UnreadableRest where the file is no such array, or nobody can tell any more where a record ends
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
  /** What closes the brackets that are open. */
  #open: number[] = [];
  #isInText = false;
  #isEscaped = false;
  /** The last character of the element that is no space, with a text as one quote. */
  #previous = COLON;
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
    const isInElement = this.#state === 'element';
    if (this.#state === 'end' || this.#state === 'start' || (!this.#isArray && !isInElement))
      return;
    throw new UnreadableRest(
      isInElement ? this.#elementLine : this.#line,
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
    this.#open = [];
    this.#isInText = false;
    this.#isEscaped = false;
    this.#previous = COLON;
    this.#takeInElement(byte, index, new Uint8Array());
  }

  #takeInElement(byte: number, index: number, chunk: Uint8Array): void {
    if (this.#isInText) {
      this.#takeInText(byte);
      return;
    }
    if (isSpace(byte)) return;
    // A text stands alone between what separates: else the quotes have changed sides.
    if (
      (byte === QUOTE && !mayPrecedeText(this.#previous)) ||
      (this.#previous === QUOTE && !mayFollowText(byte))
    ) {
      throw this.#lost(STRAY_QUOTE);
    }
    if (this.#open.length === 0 && this.#isEndOfScalar(byte, index, chunk)) return;
    this.#previous = byte;
    if (byte === QUOTE) this.#isInText = true;
    else if (isOpening(byte)) this.#enter(byte);
    else if (isClosing(byte)) this.#leave(byte, index, chunk);
  }

  #takeInText(byte: number): void {
    // No text of JSON holds a line break as it is: its end is missing, and what follows is taken for it.
    if (byte === NEWLINE) throw this.#lost('a text has no end');
    if (this.#isEscaped) this.#isEscaped = false;
    else if (byte === BACKSLASH) this.#isEscaped = true;
    else if (byte === QUOTE) this.#isInText = false;
  }

  /** A number, a text or the like in the array, without brackets of its own. */
  #isEndOfScalar(byte: number, index: number, chunk: Uint8Array): boolean {
    if (byte === COMMA) this.#finish(chunk, index, 'value');
    else if (byte === ARRAY_CLOSE) this.#finish(chunk, index, 'end');
    else return false;
    return true;
  }

  #enter(byte: number): void {
    if (this.#open.length === MAX_DEPTH) throw this.#lost('it is nested too deep');
    this.#open.push(byte === OBJECT_OPEN ? OBJECT_CLOSE : ARRAY_CLOSE);
  }

  #leave(byte: number, index: number, chunk: Uint8Array): void {
    if (this.#open.pop() !== byte) throw this.#lost('its brackets do not match');
    if (this.#open.length === 0) this.#finish(chunk, index + 1, 'separator');
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

  /** It cannot be told where the element ends. */
  #lost(reason: string): UnreadableRest {
    return new UnreadableRest(this.#elementLine, reason);
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === NEWLINE || byte === 0x0d || byte === 0x09;
}

/** What may stand before a text. */
function mayPrecedeText(byte: number): boolean {
  return byte === COMMA || byte === COLON || isOpening(byte);
}

/** What may stand behind a text. */
function mayFollowText(byte: number): boolean {
  return byte === COMMA || byte === COLON || isClosing(byte);
}

function isOpening(byte: number): boolean {
  return byte === OBJECT_OPEN || byte === ARRAY_OPEN;
}

function isClosing(byte: number): boolean {
  return byte === OBJECT_CLOSE || byte === ARRAY_CLOSE;
}
