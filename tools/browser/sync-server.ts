import { EventEmitter, once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { createReceiver } from '@nexus-store/server';
import type { Receiver, ReceiverOptions } from '@nexus-store/server';
import { PROTOCOL_PATHS } from 'nexus-store/http';
import type { WireOperation } from 'nexus-store/http';
import { readBody, requestOf, sendResponse } from './node-http.ts';

export interface SyncServerOptions extends Partial<Omit<ReceiverOptions, 'database'>> {
  /** Who sends requests without a bearer token. A token is a principal's name. @defaultValue `'tester'` */
  readonly principal?: string;
}

/** A push as it came in, whatever was answered. */
export interface RecordedPush {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly operations: readonly WireOperation[];
  /** The status sent; undefined while under way and when the connection was cut. */
  readonly status?: number;
}

type Answered = Response | undefined;
type Push = { -readonly [K in keyof RecordedPush]: RecordedPush[K] };

/**
 * The reference server in memory, whose network a test is in charge of. It keeps every push it was sent,
 * and what it applied: `arrivals()` has one row for each operation that took effect.
 */
export class SyncServer {
  /** How long every answer is held back. @unit milliseconds */
  delayMs = 0;
  /**
   * Cuts connections: `before` the server has read anything, like a server that is down, or `after` it has
   * done the work, so that the answer is lost.
   */
  cut: 'never' | 'before' | 'after' = 'never';
  /** Answers in the server's place; undefined lets the request through. */
  intercept: ((request: Request) => Answered | Promise<Answered>) | undefined;
  readonly pushes: readonly RecordedPush[] = [];
  readonly #receiver: Receiver;
  readonly #principal: string;
  readonly #news = new EventEmitter();
  #held: { readonly released: Promise<void>; readonly release: () => void } | undefined;

  constructor(options: SyncServerOptions = {}) {
    this.#principal = options.principal ?? 'tester';
    this.#news.setMaxListeners(0);
    this.#receiver = createReceiver({
      authenticate: (token) => token,
      ...options,
      database: new DatabaseSync(':memory:'),
    });
  }

  /** Every operation that was applied, once each, in the order of arrival. */
  async arrivals(principal = this.#principal): ReturnType<Receiver['arrivals']> {
    return await this.#receiver.arrivals(principal);
  }

  /** Keeps every request waiting, unanswered and unapplied, until `release`. */
  hold(): { release(): void } {
    if (this.#held === undefined) {
      let release = (): void => undefined;
      const released = new Promise<void>((resolve) => (release = resolve));
      this.#held = { released, release };
    }
    const { release } = this.#held;
    return {
      release: () => {
        this.#held = undefined;
        release();
      },
    };
  }

  /** Resolves when the condition holds; looked at after every request and every answer. */
  async until(condition: (server: this) => boolean | Promise<boolean>): Promise<void> {
    for (;;) {
      const changed = once(this.#news, 'change');
      if (await condition(this)) return;
      await changed;
    }
  }

  /** Answers one request of the protocol. */
  async serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.cut === 'before') return void response.destroy();
    const body = await readBody(message);
    const push = this.#record(message, body);
    await this.#held?.released;
    const answer = await this.#answer(requestOf(message, body));
    if (this.delayMs > 0) await sleep(this.delayMs);
    if (this.#cutsAnswers()) {
      response.destroy();
    } else {
      if (push !== undefined) push.status = answer.status;
      await sendResponse(answer, response);
    }
    this.#news.emit('change');
  }

  async close(): Promise<void> {
    this.#held?.release();
    await this.#receiver.close();
  }

  async #answer(request: Request): Promise<Response> {
    if (!request.headers.has('authorization')) {
      request.headers.set('authorization', `Bearer ${this.#principal}`);
    }
    return (await this.intercept?.(request)) ?? (await this.#receiver(request));
  }

  /** Read again after the work: a test may cut while a request is under way. */
  #cutsAnswers(): boolean {
    return this.cut !== 'never';
  }

  #record(message: IncomingMessage, body: Buffer): Push | undefined {
    if (!new URL(message.url ?? '/', 'http://server').pathname.endsWith(PROTOCOL_PATHS.push)) {
      return undefined;
    }
    const { operations } = JSON.parse(body.toString()) as { operations: WireOperation[] };
    const push: Push = { at: Date.now(), operations };
    (this.pushes as Push[]).push(push);
    this.#news.emit('change');
    return push;
  }
}
