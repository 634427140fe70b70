/** So many collections are named one by one; beyond that a hint says "anything". */
const MAX_PENDING = 100;
const encoder = new TextEncoder();

export interface EventHubOptions {
  readonly maxStreams: number;
  readonly maxStreamsPerPrincipal: number;
  /** @unit milliseconds */
  readonly heartbeatMs: number;
  /** @unit milliseconds */
  readonly streamLifetimeMs: number;
}

/**
 * Hands hints to the event streams of a principal. A stream that is read slowly costs at most a set of
 * names: hints of one collection are one hint.
 */
export class EventHub {
  readonly #options: EventHubOptions;
  readonly #streams = new Map<string, Set<Subscriber>>();
  #count = 0;

  constructor(options: EventHubOptions) {
    this.#options = options;
  }

  /** The streams open now. */
  get size(): number {
    return this.#count;
  }

  notify(principal: string, collections: Iterable<string>): void {
    const streams = this.#streams.get(principal);
    if (streams === undefined) return;
    for (const collection of collections) for (const stream of streams) stream.add(collection);
  }

  /** A body of server-sent events, undefined if there are too many already. */
  subscribe(principal: string): ReadableStream<Uint8Array> | undefined {
    const streams = this.#streams.get(principal) ?? new Set<Subscriber>();
    const { maxStreams, maxStreamsPerPrincipal } = this.#options;
    if (this.#count >= maxStreams || streams.size >= maxStreamsPerPrincipal) return undefined;
    const subscriber = new Subscriber(this.#options, () => {
      if (!streams.delete(subscriber)) return;
      this.#count -= 1;
      if (streams.size === 0) this.#streams.delete(principal);
    });
    this.#streams.set(principal, streams.add(subscriber));
    this.#count += 1;
    return subscriber.stream;
  }

  close(): void {
    for (const streams of this.#streams.values()) for (const stream of [...streams]) stream.end();
  }
}

class Subscriber {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #pending = new Set<string>();
  readonly #onEnd: () => void;
  readonly #heartbeat: NodeJS.Timeout;
  readonly #lifetime: NodeJS.Timeout;
  #isOverflown = false;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor({ heartbeatMs, streamLifetimeMs }: EventHubOptions, onEnd: () => void) {
    this.#onEnd = onEnd;
    this.stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
        // The first bytes send the headers off, so that the client knows it is connected.
        controller.enqueue(encoder.encode(': connected\n\n'));
      },
      pull: () => this.#flush(),
      cancel: () => this.#release(),
    });
    // Also finds out that the client is gone: writing to a closed connection cancels the stream.
    this.#heartbeat = setInterval(() => this.#write(': alive\n\n'), heartbeatMs);
    this.#heartbeat.unref();
    // Spread, so that clients that came at once do not come back at once.
    const lifetimeMs = streamLifetimeMs * (0.9 + 0.1 * Math.random());
    this.#lifetime = setTimeout(() => this.end(), lifetimeMs);
    this.#lifetime.unref();
  }

  add(collection: string): void {
    if (this.#pending.size < MAX_PENDING) this.#pending.add(collection);
    else this.#isOverflown = true;
    this.#flush();
  }

  end(): void {
    this.#controller?.close();
    this.#release();
  }

  #flush(): void {
    if ((this.#controller?.desiredSize ?? 0) <= 0) return;
    const hints = this.#isOverflown ? [null] : [...this.#pending];
    if (hints.length === 0) return;
    this.#pending.clear();
    this.#isOverflown = false;
    this.#write(
      hints
        .map((collection) => `event: change\ndata: ${JSON.stringify({ collection })}\n\n`)
        .join(''),
    );
  }

  #write(text: string): void {
    if ((this.#controller?.desiredSize ?? 0) > 0) this.#controller?.enqueue(encoder.encode(text));
  }

  #release(): void {
    clearInterval(this.#heartbeat);
    clearTimeout(this.#lifetime);
    this.#controller = undefined;
    this.#onEnd();
  }
}
