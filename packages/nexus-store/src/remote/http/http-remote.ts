import { withDefaults } from '../../core/model/arguments.ts';
import { RemoteError, UsageError } from '../../core/model/errors.ts';
import type { RemoteErrorCode } from '../../core/model/errors.ts';
import type { Outcome, SyncFailure } from '../../core/model/outcome.ts';
import type {
  OutgoingEntry,
  PullPage,
  PullRequest,
  Remote,
  RemoteCapabilities,
  RemoteContext,
} from '../../core/ports/remote.ts';
import { answerClass, classify, isRecognised } from './classify.ts';
import type { AnswerFacts } from './classify.ts';
import { Credentials } from './credentials.ts';
import { factsOf } from './http-answer.ts';
import { baseUrl, requireHttpRemoteOptions } from './http-remote-options.ts';
import type { HttpRemoteOptions } from './http-remote-options.ts';
import {
  EVENTS_CONTENT_TYPE,
  PROBLEM_CONTENT_TYPE,
  ProblemType,
  PROTOCOL_CONTENT_TYPE,
  PROTOCOL_PATHS,
} from './protocol.ts';
import { outcomeOfResult, resultsById, unknownOutcome } from './push-results.ts';
import type { JsonObject } from './push-results.ts';
import { pullPage } from './pull-page.ts';
import { pushBody } from './push-body.ts';
import { readEvents } from './read-events.ts';
import { clampRetryAfterMs } from './retry-after.ts';
import { Transport } from './transport.ts';
import type { Fetch, HttpReply, NoReply } from './transport.ts';

const DEFAULT_MAX_BATCH = 100;
/** A server's refusal of the whole request that one bad operation can cause: the others are sent without it. */
const ISOLATED_STATUSES: ReadonlySet<number> = new Set([400, 422]);
/** What is not said in JSON may be said to anybody: no more than so many entries are tried one by one for it. */
const FEW = 3;
const USELESS_CURSOR: ReadonlySet<string | null> = new Set([
  ProblemType.cursorExpired,
  ProblemType.cursorInvalid,
]);
const ACCEPT = `${PROTOCOL_CONTENT_TYPE}, ${PROBLEM_CONTENT_TYPE}`;

/**
 * A remote that speaks wire protocol v1 (`docs/reference/protocol.md`) over `fetch`. Sets no timers: the
 * context's signal carries every time limit.
 *
 * @throws UsageError `usage/invalid-argument` for a URL or a batch size that can never work
 */
export function httpRemote(options: HttpRemoteOptions): Remote {
  return new HttpRemote(options);
}

class HttpRemote implements Remote {
  readonly capabilities: RemoteCapabilities;
  readonly #options: HttpRemoteOptions;
  readonly #transport: Transport;
  readonly #base: string;
  readonly #paths: typeof PROTOCOL_PATHS;

  constructor(options: HttpRemoteOptions) {
    requireHttpRemoteOptions(options);
    const maxBatch = options.maxBatch ?? DEFAULT_MAX_BATCH;
    this.#options = options;
    this.#base = baseUrl(options.url);
    this.#paths = withDefaults(PROTOCOL_PATHS, options.paths);
    this.capabilities = { pull: options.pull ?? true, hints: options.events ?? true, maxBatch };
    const fetch: Fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
    this.#transport = new Transport({
      fetch,
      credentials: new Credentials(options.headers ?? {}, options.refreshCredentials),
      ...(options.credentials !== undefined && { cookies: options.credentials }),
    });
  }

  async push(batch: readonly OutgoingEntry[], context: RemoteContext): Promise<readonly Outcome[]> {
    if (batch.length > this.capabilities.maxBatch) {
      const message = `a push takes at most ${this.capabilities.maxBatch} entries`;
      throw new UsageError('usage/invalid-argument', message);
    }
    if (batch.length === 0) return [];
    if (this.#transport.isClosed) return batch.map(() => closedOutcome(context.now));
    return this.#push(batch, context);
  }

  async pull(request: PullRequest, context: RemoteContext): Promise<PullPage> {
    if (this.#transport.isClosed) throw new RemoteError('remote/offline', 'the remote is closed');
    const query =
      `collection=${encodeURIComponent(request.collection)}&limit=${request.limit}` +
      (request.cursor === null ? '' : `&cursor=${encodeURIComponent(request.cursor)}`);
    const url = `${this.#base}${this.#paths.pull}?${query}`;
    const reply = await this.#transport.exchange({ method: 'GET', url, accept: ACCEPT }, context);
    if (reply.kind === 'no-reply') throw noReplyError(reply);
    this.#noteSyncInterval(reply);
    const facts = factsOf(reply, context.now, reply.secrets);
    if (isRecognised(facts)) return pullPage(reply.text);
    throw refusal(facts, request.cursor !== null);
  }

  async listen(onHint: (collection: string | null) => void, context: RemoteContext): Promise<void> {
    if (this.#transport.isClosed) throw new RemoteError('remote/offline', 'the remote is closed');
    const url = `${this.#base}${this.#paths.events}`;
    const request = { method: 'GET', url, accept: EVENTS_CONTENT_TYPE } as const;
    const ended = await this.#transport.stream(request, context, (response, signal) =>
      readEvents(response, signal, onHint),
    );
    if (context.signal.aborted || this.#transport.isClosed) return;
    if (ended === undefined) throw new RemoteError('remote/offline', 'the event stream ended');
    if (ended.kind === 'no-reply') throw noReplyError(ended);
    throw refusal(factsOf(ended, context.now, ended.secrets), false);
  }

  async close(): Promise<void> {
    this.#transport.close();
  }

  async #push(
    batch: readonly OutgoingEntry[],
    context: RemoteContext,
  ): Promise<readonly Outcome[]> {
    const request = {
      method: 'POST',
      url: `${this.#base}${this.#paths.push}`,
      accept: ACCEPT,
      contentType: PROTOCOL_CONTENT_TYPE,
      body: pushBody(batch),
    } as const;
    const reply = await this.#transport.exchange(request, context);
    if (reply.kind === 'no-reply') {
      const [head, tail] = halves(batch);
      if (reply.isTooLong !== true || tail.length === 0)
        return batch.map(() => noReplyOutcome(reply, context.now));
      // Many entries, each answered with a large row. Keys make it harmless that some were applied, as long
      // as nobody takes them for unsent because the second request never left.
      const parts = [...(await this.#push(head, context)), ...(await this.#push(tail, context))];
      return parts.map(perhapsApplied);
    }
    this.#noteSyncInterval(reply);
    const secrets = secretsOf(reply, batch);
    const facts = factsOf(reply, context.now, secrets);
    const results = isRecognised(facts) ? resultsById(reply.text) : undefined;
    if (results !== undefined)
      return batch.map((entry) => this.#settle(entry, reply, facts, results, secrets));
    return this.#refused(batch, context, reply, facts);
  }

  #settle(
    entry: OutgoingEntry,
    reply: HttpReply,
    facts: AnswerFacts,
    results: ReadonlyMap<string, JsonObject | null>,
    secrets: readonly string[],
  ): Outcome {
    const result = results.get(entry.id) ?? null;
    const own = this.#ask(entry, reply, facts, result);
    if (own !== undefined) return own;
    if (result === null) return unknownOutcome(facts.at, 'the answer has no single result for it');
    return outcomeOfResult(result, entry, facts.at, secrets);
  }

  /** The answer speaks of the request as a whole. */
  async #refused(
    batch: readonly OutgoingEntry[],
    context: RemoteContext,
    reply: HttpReply,
    facts: AnswerFacts,
  ): Promise<readonly Outcome[]> {
    const own = batch.map((entry) => this.#ask(entry, reply, facts, null));
    const isUndecided = own.every((outcome) => outcome === undefined);
    const [head, tail] = halves(batch);
    const isOfEntry = facts.body === 'json' || (facts.body === 'other' && batch.length <= FEW);
    const isIsolated = isOfEntry && ISOLATED_STATUSES.has(facts.status);
    if (isUndecided && tail.length > 0 && isIsolated) {
      // One bad operation must not bury the whole batch. The refusal was definite: nothing was applied.
      return [...(await this.#push(head, context)), ...(await this.#push(tail, context))];
    }
    // Our content type around something that is not an answer: as good as no acknowledgement.
    const judged = isRecognised(facts) ? { ...facts, contentType: null } : facts;
    return batch.map((entry, index) => own[index] ?? classify(judged, entry.operation));
  }

  #ask(
    entry: OutgoingEntry,
    reply: HttpReply,
    facts: AnswerFacts,
    result: JsonObject | null,
  ): Outcome | undefined {
    try {
      return this.#options.classify?.({
        status: facts.status,
        contentType: facts.contentType,
        problemType: facts.problemType,
        header: reply.header,
        text: reply.text,
        result,
        entry,
      });
    } catch {
      // A bug in the app's hook must not take the answer away from the table.
      return undefined;
    }
  }

  #noteSyncInterval(reply: HttpReply): void {
    const seconds = reply.header('sync-interval');
    if (seconds === null || !/^\d+$/.test(seconds)) return;
    try {
      this.#options.onSyncInterval?.(clampRetryAfterMs(Number(seconds) * 1000));
    } catch {
      // A bug in the app's hook must not turn an acknowledgement into a rejected push.
    }
  }
}

/** Two parts of a batch, cut between groups; the second is empty if it is one unit. */
function halves(
  batch: readonly OutgoingEntry[],
): readonly [readonly OutgoingEntry[], readonly OutgoingEntry[]] {
  const middle = Math.ceil(batch.length / 2);
  const isCut = (at: number): boolean => {
    const group = batch[at]?.group ?? null;
    return group === null || group !== batch[at - 1]?.group;
  };
  for (let distance = 0; distance < batch.length; distance += 1) {
    for (const at of [middle - distance, middle + distance]) {
      if (at > 0 && at < batch.length && isCut(at)) return [batch.slice(0, at), batch.slice(at)];
    }
  }
  return [batch, []];
}

function secretsOf(reply: HttpReply, batch: readonly OutgoingEntry[]): readonly string[] {
  return [...reply.secrets, ...batch.map((entry) => entry.payloadJson ?? '')];
}

function noReplyOutcome(reply: NoReply, at: number): Outcome {
  const failure: SyncFailure = {
    code: reply.code,
    at,
    ...(reply.status !== undefined && { status: reply.status }),
    ...(reply.detail !== '' && { detail: reply.detail }),
  };
  if (reply.code === 'remote/unauthorised') return { kind: 'unauthorised', failure };
  const { ambiguous, isWithheld, isTooLong } = reply;
  return {
    kind: 'retry',
    // The server works, and only what it says of these is more than this client reads.
    scope: isTooLong === true ? 'entry' : 'endpoint',
    ambiguous,
    ...(isWithheld === true && { withheld: true }),
    failure,
  };
}

/**
 * An outcome of entries that an earlier request may have applied. A refusal says nothing of that request (whoever
 * stands before the server refuses without asking it), so it is heard again before it is believed: an entry of
 * unknown fate keeps its key, and buried under that key it keeps it for good.
 */
function perhapsApplied(outcome: Outcome): Outcome {
  switch (outcome.kind) {
    case 'applied':
    case 'conflict':
      return outcome;
    case 'retry':
      return { ...outcome, ambiguous: true };
    case 'unauthorised':
      return { kind: 'retry', scope: 'endpoint', ambiguous: true, failure: outcome.failure };
    case 'rejected':
    case 'too-large':
      return { kind: 'retry', scope: 'entry', ambiguous: true, failure: outcome.failure };
  }
}

function closedOutcome(at: number): Outcome {
  const failure = { code: 'remote/offline', detail: 'the remote is closed', at };
  return { kind: 'retry', scope: 'endpoint', ambiguous: false, failure };
}

function noReplyError(reply: NoReply): RemoteError {
  const message = reply.detail === '' ? 'the server did not answer' : reply.detail;
  return new RemoteError(reply.code, message, {
    cause: reply.cause,
    ...(reply.status !== undefined && { status: reply.status }),
  });
}

/** The error of a pull or a listen that was answered, and not with what was asked for. */
function refusal(facts: AnswerFacts, hasCursor: boolean): RemoteError {
  // A cursor that the server cannot read is of no more use than one that is too old.
  const isUseless = facts.status === 410 || USELESS_CURSOR.has(facts.problemType);
  const isExpired = isUseless && hasCursor;
  const meaning = answerClass(facts.status, facts.problemType);
  // Whoever refused, no entry is at stake, and other collections may be had.
  const outcome = classify({ ...facts, body: 'json' }, 'update');
  const judged =
    meaning === 'rejected'
      ? 'remote/rejected'
      : 'failure' in outcome && outcome.failure !== undefined
        ? (outcome.failure.code as RemoteErrorCode)
        : 'remote/protocol';
  const code = isExpired ? 'remote/cursor-expired' : judged;
  return new RemoteError(
    code,
    `the server answered ${facts.status} (${meaning}) ${facts.detail ?? ''}`,
    {
      status: facts.status,
      ...(facts.retryAfterMs !== undefined && { retryAfterMs: facts.retryAfterMs }),
    },
  );
}
