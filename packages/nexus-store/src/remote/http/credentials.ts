/** Whose credentials are wanted. */
export interface CredentialContext {
  /** The stable id of the user whose entries are sent; null if nobody signed in. */
  readonly principal: string | null;
}

export type HeaderValues = Readonly<Record<string, string>> | Headers;

export type HeadersSource =
  | HeaderValues
  | ((context: CredentialContext) => HeaderValues | Promise<HeaderValues>);

export type RefreshCredentials = (context: CredentialContext) => Promise<void>;

/** Headers with the generation of credentials they were made from. */
export interface AttachedHeaders {
  readonly values: Readonly<Record<string, string>>;
  readonly generation: number;
}

interface Refreshing {
  readonly done: Promise<void>;
}

/**
 * Asks the app for headers at send time and never keeps them. A refresh is shared by every request of
 * the principal that was sent with the same generation of credentials: twenty refused requests make one.
 */
export class Credentials {
  readonly #headers: HeadersSource;
  readonly #refresh: RefreshCredentials | undefined;
  readonly #generations = new Map<string | null, number>();
  readonly #refreshing = new Map<string | null, Refreshing>();

  constructor(headers: HeadersSource, refresh: RefreshCredentials | undefined) {
    this.#headers = headers;
    this.#refresh = refresh;
  }

  async attach(context: CredentialContext): Promise<AttachedHeaders> {
    const values =
      typeof this.#headers === 'function' ? await this.#headers(context) : this.#headers;
    return { values: recordOf(values), generation: this.#generation(context) };
  }

  /**
   * Resolves with true once credentials newer than `generation` exist, false if there is no way to get
   * any. Rejects as the app's refresh does.
   */
  async renew(context: CredentialContext, generation: number): Promise<boolean> {
    if (this.#generation(context) > generation) return true;
    if (this.#refresh === undefined) return false;
    await (this.#refreshing.get(context.principal) ?? this.#begin(context, this.#refresh)).done;
    return true;
  }

  #generation(context: CredentialContext): number {
    return this.#generations.get(context.principal) ?? 0;
  }

  #begin(context: CredentialContext, refresh: RefreshCredentials): Refreshing {
    const run = async (): Promise<void> => {
      try {
        await refresh({ principal: context.principal });
        this.#generations.set(context.principal, this.#generation(context) + 1);
      } finally {
        this.#refreshing.delete(context.principal);
      }
    };
    const refreshing = { done: Promise.resolve().then(run) };
    this.#refreshing.set(context.principal, refreshing);
    return refreshing;
  }
}

/** Shorter parts of a header are words: `Bearer`, `charset`, `application`. */
const SHORTEST_PART = 12;

/** The values of headers, and what stands in them: a server repeats a token without `Bearer`, a cookie without its name. */
export function secretsIn(values: Readonly<Record<string, string>>): readonly string[] {
  return Object.values(values).flatMap((value) => {
    const parts = value.split(/[\s;,="]+/).filter((part) => part.length >= SHORTEST_PART);
    return [value, ...parts];
  });
}

/**
 * What cannot be sent as headers, in a few words without any value: credentials may stand there. Null if
 * nothing is wrong.
 */
export function unsendablePart(values: unknown): string | null {
  if (typeof values !== 'object' || values === null) return `they are ${kindOf(values)}`;
  if (Array.isArray(values)) return 'they are a list';
  for (const [name, value] of Object.entries(values)) {
    if (typeof value !== 'string') return `${shownName(name)} is ${kindOf(value)}`;
  }
  // The platform's own rules for names and line ends.
  if (typeof Headers !== 'function') return null;
  try {
    void new Headers(values as Record<string, string>);
    return null;
  } catch {
    return 'a name or a text has characters that no header may have';
  }
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  return Array.isArray(value) ? 'a list' : `of type ${typeof value}`;
}

/** Whoever mixes up names and values has credentials for a name. */
function shownName(name: string): string {
  return /^[a-z-]{1,40}$/i.test(name) ? name : 'one of them';
}

function isHeaders(values: unknown): values is Headers {
  // A class of another realm or of a polyfill is no instance of ours.
  return (
    typeof values === 'object' &&
    values !== null &&
    !Array.isArray(values) &&
    typeof (values as Partial<Headers>).forEach === 'function'
  );
}

/** A `Headers` object keeps its content out of reach of a spread. */
function recordOf(values: HeaderValues): Readonly<Record<string, string>> {
  if (!isHeaders(values)) return values;
  const record: Record<string, string> = {};
  values.forEach((value, name) => {
    record[name] = value;
  });
  return record;
}
