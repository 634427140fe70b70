import { PROBLEM_CONTENT_TYPE, ProblemType } from 'nexus-store/http';
import type { WireProblem } from 'nexus-store/http';

/** Status and title of each problem; the title never changes from one occurrence to another. */
const KNOWN: Readonly<Record<ProblemType, readonly [status: number, title: string]>> = {
  [ProblemType.malformed]: [400, 'The request is not of this protocol'],
  [ProblemType.unauthorised]: [401, 'Credentials are missing or not accepted'],
  [ProblemType.forbidden]: [403, 'Not allowed'],
  [ProblemType.notFound]: [404, 'No such resource'],
  [ProblemType.methodNotAllowed]: [405, 'This method is not offered here'],
  [ProblemType.unsupportedMediaType]: [415, 'The body has a type this server does not read'],
  [ProblemType.tooLarge]: [413, 'The body or a value is too large'],
  [ProblemType.tooManyOperations]: [413, 'Too many operations in one request'],
  [ProblemType.upgradeRequired]: [426, 'This server does not speak that version of the protocol'],
  [ProblemType.throttled]: [429, 'Too many requests'],
  [ProblemType.busy]: [503, 'Busy: nothing was applied'],
  [ProblemType.internal]: [500, 'The server failed'],
  [ProblemType.cursorExpired]: [410, 'The cursor has expired: pull everything'],
  [ProblemType.cursorInvalid]: [400, 'That is no cursor of this server'],
  [ProblemType.keyReused]: [422, 'The idempotency key was used for another operation'],
  [ProblemType.keyInProgress]: [409, 'An operation with this key is being applied'],
  [ProblemType.alreadyApplied]: [409, 'Already applied'],
  [ProblemType.groupFailed]: [424, 'Another operation of the group was not applied'],
  [ProblemType.predecessorFailed]: [424, 'An earlier operation of the entity was not applied'],
  [ProblemType.unknownCommand]: [422, 'No such command'],
  [ProblemType.refused]: [422, 'The operation was refused'],
};

export function problem(type: ProblemType, detail?: string, status?: number): WireProblem {
  const [usual, title] = KNOWN[type];
  return { type, title, status: status ?? usual, ...(detail !== undefined && { detail }) };
}

export function problemResponse(
  what: WireProblem,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(JSON.stringify(what), {
    status: what.status,
    headers: { ...headers, 'content-type': PROBLEM_CONTENT_TYPE, 'cache-control': 'no-store' },
  });
}
