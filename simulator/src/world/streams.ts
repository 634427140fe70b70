import type { SeededRandom } from 'nexus-store/testing';
import type { Flight } from './network.ts';

export const EVENTS = 'text/event-stream';

interface Stream {
  readonly flight: Flight;
  readonly principal: string;
  readonly push: (text: string) => void;
  readonly fail: () => void;
}

/** The streams of hints that are open. */
export class Streams {
  readonly #open = new Set<Stream>();
  readonly #random: SeededRandom;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  open(flight: Flight, signal: AbortSignal | undefined): Response {
    const chunks: Uint8Array[] = [];
    let isBroken = false;
    let wake: () => void = () => {};
    const stream: Stream = {
      flight,
      principal: flight.token.split('.')[0] ?? '',
      push: (text) => {
        chunks.push(new TextEncoder().encode(text));
        wake();
      },
      fail: () => {
        isBroken = true;
        this.#open.delete(stream);
        wake();
      },
    };
    this.#open.add(stream);
    signal?.addEventListener('abort', () => this.#open.delete(stream), { once: true });
    const read = async (): Promise<{ done: boolean; value: Uint8Array | undefined }> => {
      while (chunks.length === 0 && !isBroken) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (isBroken) throw new TypeError('terminated');
      return { done: false, value: chunks.shift() };
    };
    const cancel = async (): Promise<void> => void this.#open.delete(stream);
    return {
      ok: true,
      status: 200,
      headers: { get: (name: string) => (name.toLowerCase() === 'content-type' ? EVENTS : null) },
      body: { getReader: () => ({ read, cancel }), cancel },
    } as unknown as Response;
  }

  /** In the time of each listener: late if it is frozen, never once it is dead. */
  send(principal: string, collection: string, delayMs: number): void {
    for (const stream of this.#open) {
      if (stream.principal !== principal) continue;
      const data = JSON.stringify({ collection });
      stream.flight.context.after(delayMs, () => stream.push(`event: change\ndata: ${data}\n\n`));
    }
  }

  /** The network went away: some listeners notice it, the others hear nothing any more. */
  loseAll(noticed: number): void {
    for (const stream of [...this.#open]) {
      this.#open.delete(stream);
      if (this.#random.chance(noticed)) stream.flight.context.after(0, stream.fail);
    }
  }
}
