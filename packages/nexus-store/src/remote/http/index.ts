/**
 * The HTTP remote: `httpRemote` speaks wire protocol v1 (`docs/reference/protocol.md`).
 *
 * @module
 */
export { httpRemote } from './http-remote.ts';
export type { HttpRemoteOptions } from './http-remote-options.ts';
export type {
  CredentialContext,
  HeadersSource,
  HeaderValues,
  RefreshCredentials,
} from './credentials.ts';
export type { ClassifyAnswer, HttpAnswer } from './http-answer.ts';
export type { Fetch } from './transport.ts';
export { answerClass, classify } from './classify.ts';
export type { AnswerBody, AnswerClass, AnswerFacts } from './classify.ts';
export {
  EVENTS_CONTENT_TYPE,
  PROBLEM_CONTENT_TYPE,
  ProblemType,
  PROTOCOL_CONTENT_TYPE,
  PROTOCOL_PATHS,
  PROTOCOL_VERSION,
} from './protocol.ts';
export type {
  WireOperation,
  WireProblem,
  WirePullAnswer,
  WirePushAnswer,
  WirePushRequest,
  WireResult,
  WireRow,
  WireTombstone,
} from './protocol.ts';
