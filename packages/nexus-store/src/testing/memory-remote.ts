import {
  COUNT,
  eitherOf,
  FLAG,
  FUNCTION,
  objectWith,
  oneOf,
  requireKind,
  requireOptions,
  type Kind,
  type Kinds,
} from '../core/model/arguments.ts';
import { RemoteError, UsageError } from '../core/model/errors.ts';
import type { Outcome } from '../core/model/outcome.ts';
import type {
  OutgoingEntry,
  PullPage,
  PullRequest,
  Remote,
  RemoteCapabilities,
  RemoteContext,
} from '../core/ports/remote.ts';
import { MemoryServer } from './memory-server.ts';

/**
 * What happens to one push.
 *
 * - `apply`: it reaches the server, and the answer comes back.
 * - `lose-request`: it never arrives, and the client cannot know.
 * - `lose-answer`: the server applies it, and the answer is lost.
 * - `refuse-connection`: it certainly never left (no route, nobody listening).
 * - `hang`: nothing happens until the signal aborts.
 * - an outcome: every entry gets it, the server sees nothing.
 * - a function: an outcome for an entry; entries with undefined reach the server.
 * - `until`: waits, then goes on with `answer`.
 * - `answerAfter`: the server applies it at once, and the answer arrives later.
 */
export type PushAnswer =
  | 'apply'
  | 'lose-request'
  | 'lose-answer'
  | 'refuse-connection'
  | 'hang'
  | Outcome
  | ((entry: OutgoingEntry) => Outcome | undefined)
  | { readonly until: Promise<unknown>; readonly answer: PushAnswer }
  | { readonly answerAfter: Promise<unknown> };

/** One call of `push` as the remote saw it. */
export interface PushAttempt {
  /** Counts from 1. */
  readonly number: number;
  readonly batch: readonly OutgoingEntry[];
  readonly principal: string | null;
  /** The context's `now`. */
  readonly at: number;
}

export interface MemoryRemoteOptions {
  /** Shared with other remotes. @defaultValue a new one */
  readonly server?: MemoryServer;
  /** @defaultValue `100` */
  readonly maxBatch?: number;
  /** @defaultValue `true` */
  readonly pull?: boolean;
  /** @defaultValue `true` */
  readonly hints?: boolean;
  /** Awaited before each request, for example a delay of virtual time. */
  readonly latency?: () => Promise<void>;
}

const OPTIONS: Kinds<MemoryRemoteOptions> = {
  server: objectWith('a MemoryServer', 'push', 'pull', 'subscribe'),
  maxBatch: COUNT,
  pull: FLAG,
  hints: FLAG,
  latency: FUNCTION,
};

const SCRIPTED: Kind = {
  said: 'an outcome, { until, answer } or { answerAfter }',
  fits: (value) =>
    typeof value === 'object' &&
    value !== null &&
    ('kind' in value || 'until' in value || 'answerAfter' in value),
};
const ANSWER = eitherOf(
  oneOf('apply', 'lose-request', 'lose-answer', 'refuse-connection', 'hang'),
  FUNCTION,
  SCRIPTED,
);

/**
 * A remote for tests: honest unless told otherwise, in this process, without a network.
 *
 * @throws UsageError `usage/invalid-argument`, naming the option
 */
export function memoryRemote(options: MemoryRemoteOptions = {}): MemoryRemote {
  requireOptions('memoryRemote', options, OPTIONS);
  return new MemoryRemote(options);
}

export class MemoryRemote implements Remote {
  readonly capabilities: RemoteCapabilities;
  readonly server: MemoryServer;
  readonly #latency: () => Promise<void>;
  readonly #attempts: PushAttempt[] = [];
  readonly #closing = new AbortController();
  #next: PushAnswer[] = [];
  #decide: ((attempt: PushAttempt) => PushAnswer) | undefined;

  constructor(options: MemoryRemoteOptions) {
    const { pull = true, hints = true, maxBatch = 100 } = options;
    this.capabilities = { pull, hints, maxBatch };
    this.server = options.server ?? new MemoryServer();
    this.#latency = options.latency ?? (() => Promise.resolve());
  }

  /** Every push so far. */
  get attempts(): readonly PushAttempt[] {
    return this.#attempts;
  }

  /** What happens to the next pushes, one answer each; after them the remote is honest again. */
  answerNext(...answers: readonly PushAnswer[]): void {
    for (const answer of answers) requireKind('answerNext: answer', answer, ANSWER);
    this.#next.push(...answers);
  }

  /** Decides about every push that `answerNext` does not; undefined makes the remote honest again. */
  answerWith(decide: ((attempt: PushAttempt) => PushAnswer) | undefined): void {
    if (decide !== undefined) requireKind('answerWith: decide', decide, FUNCTION);
    this.#decide = decide;
  }

  async push(batch: readonly OutgoingEntry[], context: RemoteContext): Promise<readonly Outcome[]> {
    if (batch.length > this.capabilities.maxBatch) {
      throw new UsageError('usage/invalid-argument', `more than ${this.capabilities.maxBatch}`);
    }
    if (batch.length === 0) return [];
    if (this.#closing.signal.aborted) return batch.map(() => unreachable(context.now, false));
    const number = this.#attempts.length + 1;
    const attempt = { number, batch, principal: context.principal, at: context.now };
    this.#attempts.push(attempt);
    const answer = this.#next.shift() ?? this.#decide?.(attempt) ?? 'apply';
    const aborted = this.#aborted(context, batch);
    return Promise.race([aborted.outcomes, this.#answer(answer, batch, context)]).finally(
      aborted.release,
    );
  }

  async pull(request: PullRequest, context: RemoteContext): Promise<PullPage> {
    if (!this.capabilities.pull) throw new RemoteError('remote/rejected', 'no pull here');
    await this.#latency();
    if (context.signal.aborted || this.#closing.signal.aborted) {
      throw new RemoteError('remote/timeout', 'aborted');
    }
    return this.server.pull(request, context.principal);
  }

  async listen(onHint: (collection: string | null) => void, context: RemoteContext): Promise<void> {
    if (!this.capabilities.hints) throw new RemoteError('remote/rejected', 'no hints here');
    if (context.signal.aborted || this.#closing.signal.aborted) return;
    const stop = this.server.subscribe(onHint, context.principal);
    // Hints are not kept for absent listeners: something may have changed before.
    onHint(null);
    await new Promise<void>((resolve) => {
      context.signal.addEventListener('abort', () => resolve(), { once: true });
      this.#closing.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    stop();
  }

  async close(): Promise<void> {
    this.#closing.abort();
  }

  async #answer(
    answer: PushAnswer,
    batch: readonly OutgoingEntry[],
    context: RemoteContext,
  ): Promise<readonly Outcome[]> {
    await this.#latency();
    if (context.signal.aborted) return batch.map(() => unreachable(context.now, true));
    if (typeof answer !== 'string') return this.#scripted(answer, batch, context);
    if (answer === 'hang') return new Promise(() => {});
    if (answer === 'refuse-connection') return batch.map(() => unreachable(context.now, false));
    if (answer === 'lose-request') return batch.map(() => unreachable(context.now, true));
    const outcomes = this.server.push(batch, context.principal, context.now);
    return answer === 'apply' ? outcomes : batch.map(() => unreachable(context.now, true));
  }

  async #scripted(
    answer: Extract<PushAnswer, object>,
    batch: readonly OutgoingEntry[],
    context: RemoteContext,
  ): Promise<readonly Outcome[]> {
    if (typeof answer === 'function') return this.#mixed(answer, batch, context);
    if ('kind' in answer) return batch.map(() => answer);
    if ('until' in answer) {
      await answer.until;
      return this.#answer(answer.answer, batch, context);
    }
    const outcomes = this.server.push(batch, context.principal, context.now);
    await answer.answerAfter;
    return outcomes;
  }

  #mixed(
    decide: (entry: OutgoingEntry) => Outcome | undefined,
    batch: readonly OutgoingEntry[],
    context: RemoteContext,
  ): readonly Outcome[] {
    const decided = new Map(batch.map((entry) => [entry, decide(entry)]));
    const rest = batch.filter((entry) => decided.get(entry) === undefined);
    const outcomes = this.server.push(rest, context.principal, context.now);
    return batch.map((entry) => decided.get(entry) ?? (outcomes[rest.indexOf(entry)] as Outcome));
  }

  #aborted(
    context: RemoteContext,
    batch: readonly OutgoingEntry[],
  ): { readonly outcomes: Promise<readonly Outcome[]>; readonly release: () => void } {
    const signals = [context.signal, this.#closing.signal];
    let settle = (): void => {};
    const outcomes = new Promise<readonly Outcome[]>((resolve) => {
      settle = () => resolve(batch.map(() => unreachable(context.now, true, 'remote/timeout')));
    });
    for (const signal of signals) {
      if (signal.aborted) settle();
      signal.addEventListener('abort', settle, { once: true });
    }
    const release = (): void => {
      for (const signal of signals) signal.removeEventListener('abort', settle);
    };
    return { outcomes, release };
  }
}

function unreachable(at: number, ambiguous: boolean, code = 'remote/offline'): Outcome {
  return { kind: 'retry', scope: 'endpoint', ambiguous, failure: { code, at } };
}
