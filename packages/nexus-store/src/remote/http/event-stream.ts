/** A longer line is no hint of ours; it is skipped to its end without being held. */
const MAX_LINE_LENGTH = 16 * 1024;
/** More data lines than this in one event are dropped with it. */
const MAX_EVENT_LENGTH = 64 * 1024;

export interface ServerSentEvent {
  readonly event: string;
  readonly data: string;
}

/** Parses server-sent events from chunks of text, holding a bounded amount of it. */
export class EventStreamParser {
  readonly #onEvent: (event: ServerSentEvent) => void;
  #line = '';
  #isLineTooLong = false;
  #hasPendingReturn = false;
  #event = '';
  #data: string[] = [];
  #dataLength = 0;
  #isEventTooLong = false;

  constructor(onEvent: (event: ServerSentEvent) => void) {
    this.#onEvent = onEvent;
  }

  push(chunk: string): void {
    // A carriage return at a chunk's end may be half of a line end, so its line feed is swallowed.
    let text = this.#hasPendingReturn && chunk.startsWith('\n') ? chunk.slice(1) : chunk;
    if (chunk !== '') this.#hasPendingReturn = chunk.endsWith('\r');
    for (;;) {
      const end = text.search(/[\r\n]/);
      if (end < 0) return this.#keep(text);
      this.#keep(text.slice(0, end));
      this.#endLine();
      text = text.slice(text.startsWith('\r\n', end) ? end + 2 : end + 1);
    }
  }

  #keep(part: string): void {
    if (this.#line.length + part.length > MAX_LINE_LENGTH) this.#isLineTooLong = true;
    this.#line = this.#isLineTooLong ? '' : this.#line + part;
  }

  #endLine(): void {
    const line = this.#line;
    const isTooLong = this.#isLineTooLong;
    this.#line = '';
    this.#isLineTooLong = false;
    if (isTooLong) this.#isEventTooLong = true;
    else if (line === '') this.#dispatch();
    else this.#field(line);
  }

  #field(line: string): void {
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const raw = colon < 0 ? '' : line.slice(colon + 1);
    const value = raw.startsWith(' ') ? raw.slice(1) : raw;
    if (name === 'event') this.#event = value;
    if (name !== 'data') return;
    this.#dataLength += value.length;
    if (this.#dataLength > MAX_EVENT_LENGTH) this.#isEventTooLong = true;
    else this.#data.push(value);
  }

  #dispatch(): void {
    const event = {
      event: this.#event === '' ? 'message' : this.#event,
      data: this.#data.join('\n'),
    };
    const isUsable = this.#data.length > 0 && !this.#isEventTooLong;
    this.#event = '';
    this.#data = [];
    this.#dataLength = 0;
    this.#isEventTooLong = false;
    if (isUsable) this.#onEvent(event);
  }
}
