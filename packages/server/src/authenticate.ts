import { hash } from 'node:crypto';

/**
 * Who a bearer token belongs to: a map from token to the stable id of a user, or a function that returns
 * that id, null for a token it does not accept.
 */
export type Authenticate =
  | Readonly<Record<string, string>>
  | ReadonlyMap<string, string>
  | ((token: string, request: Request) => string | null | Promise<string | null>);

/** The principal of a request; null without an accepted token. */
export type PrincipalOf = (request: Request) => Promise<string | null>;

export function principalOf(authenticate: Authenticate): PrincipalOf {
  const lookUp = typeof authenticate === 'function' ? authenticate : byDigest(authenticate);
  return async (request) => {
    const token = bearerToken(request);
    const principal: unknown = token === null ? null : await lookUp(token, request);
    // What a table without such a token gives (undefined, or a method every object has) is nobody.
    return typeof principal === 'string' && principal !== '' ? principal : null;
  };
}

export function bearerToken(request: Request): string | null {
  const header = request.headers.get('authorization') ?? '';
  return /^Bearer +([\w\-.~+/]+=*) *$/i.exec(header)?.[1] ?? null;
}

/** Looks digests up, so that the time a lookup takes tells nothing about the tokens. */
function byDigest(
  tokens: Readonly<Record<string, string>> | ReadonlyMap<string, string>,
): (token: string) => string | null {
  if (typeof tokens !== 'object' || tokens === null) {
    throw new TypeError('authenticate must be a map from token to user, or a function');
  }
  const pairs = tokens instanceof Map ? [...tokens] : Object.entries(tokens);
  const digest = (token: string): string => hash('sha256', token);
  const principals = new Map(pairs.map(([token, principal]) => [digest(token), principal]));
  return (token) => principals.get(digest(token)) ?? null;
}
