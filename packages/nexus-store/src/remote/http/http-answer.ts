import { fromWire } from '../../core/model/value-codec.ts';
import type { Outcome } from '../../core/model/outcome.ts';
import type { OutgoingEntry } from '../../core/ports/remote.ts';
import type { AnswerBody, AnswerFacts } from './classify.ts';
import { excerpt } from './excerpt.ts';
import {
  hasMediaType,
  isJsonMediaType,
  PROBLEM_CONTENT_TYPE,
  PROTOCOL_CONTENT_TYPE,
} from './protocol.ts';
import { isJsonObject, parseJson, problemDetail } from './push-results.ts';
import { retryAfterMs } from './retry-after.ts';
import type { HttpReply } from './transport.ts';

/** What the app's own `classify` is asked about: one entry and the answer that concerns it. */
export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string | null;
  /** The `type` of a problem document, null if the answer is none. */
  readonly problemType: string | null;
  readonly header: (name: string) => string | null;
  /** The body as text: of a success up to 8 MiB, of a failure the first 64 KiB. */
  readonly text: string;
  /** The entry's own result, if the answer is of this protocol. */
  readonly result: Readonly<Record<string, unknown>> | null;
  readonly entry: OutgoingEntry;
}

/** Decides before the built-in table does; undefined leaves it to the table. */
export type ClassifyAnswer = (answer: HttpAnswer) => Outcome | undefined;

/** The facts of a whole answer. */
export function factsOf(reply: HttpReply, now: number, secrets: readonly string[]): AnswerFacts {
  const contentType = reply.header('content-type');
  const problem = problemOf(reply.text, contentType);
  const type = problem?.['type'];
  const after = retryAfterMs(reply.header('retry-after'), reply.header('date'), now);
  return {
    status: reply.status,
    problemType: typeof type === 'string' ? type : null,
    contentType,
    scope: 'request',
    ...(reply.status >= 400 && { body: bodyOf(reply.text, contentType) }),
    ...(after !== undefined && { retryAfterMs: after }),
    detail: problem ? problemDetail(problem, secrets) : excerpt(reply.text, secrets),
    at: now,
    ...(problem && serverRow(problem)),
  };
}

/** Many a server forgets to say that it answers in JSON, so the text counts as well. */
function bodyOf(text: string, contentType: string | null): AnswerBody {
  if (isJsonMediaType(contentType) || isJsonObject(parseJson(text))) return 'json';
  // A line is often called HTML, by default.
  return /^\s*</.test(text) ? 'page' : 'other';
}

function problemOf(
  text: string,
  contentType: string | null,
): Readonly<Record<string, unknown>> | undefined {
  const isJson =
    hasMediaType(contentType, PROBLEM_CONTENT_TYPE) ||
    hasMediaType(contentType, PROTOCOL_CONTENT_TYPE);
  if (!isJson) return undefined;
  const json = parseJson(text);
  return isJsonObject(json) ? json : undefined;
}

/** Extension members with which a problem may carry the server's row. */
function serverRow(
  problem: Readonly<Record<string, unknown>>,
): Pick<AnswerFacts, 'remote' | 'version'> {
  const { version } = problem;
  return {
    ...(Object.hasOwn(problem, 'remote') && { remote: decoded(problem['remote']) }),
    ...(typeof version === 'string' && { version }),
  };
}

function decoded(json: unknown): unknown {
  try {
    return fromWire(json);
  } catch {
    return undefined;
  }
}
