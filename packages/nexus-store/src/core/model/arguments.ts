import { UsageError } from './errors.ts';
import { isWellFormed } from './well-formed.ts';

/** What an argument has to be, and how errors say it. */
export interface Kind {
  /** Completes "must be". */
  readonly said: string;
  readonly fits: (value: unknown) => boolean;
  /** Credentials may stand there: errors say no more than what type it is. */
  readonly isSecret?: boolean;
}

/** The kind of every option of `T`; an option that is missing here does not compile. */
export type Kinds<T> = { readonly [Name in keyof Required<T>]: Kind };

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

export const ANYTHING: Kind = { said: 'anything', fits: () => true };
export const FLAG: Kind = { said: 'true or false', fits: (value) => typeof value === 'boolean' };
export const TEXT: Kind = { said: 'a text', fits: (value) => typeof value === 'string' };
export const NAME: Kind = {
  said: 'a well-formed text that is not empty',
  fits: (value) => typeof value === 'string' && value !== '' && isWellFormed(value),
};
export const FUNCTION: Kind = {
  said: 'a function',
  fits: (value) => typeof value === 'function',
};
export const OBJECT: Kind = {
  said: 'an object',
  fits: (value) => isObject(value) && !Array.isArray(value),
};
export const LIST: Kind = { said: 'a list', fits: Array.isArray };
export const NUMBER: Kind = {
  said: 'a number',
  fits: (value) => typeof value === 'number' && !Number.isNaN(value),
};
/** A limit may be `Infinity`: none. */
export const LIMIT: Kind = {
  said: 'a number from 0',
  fits: (value) => typeof value === 'number' && value >= 0,
};
export const COUNT: Kind = {
  said: 'a whole number from 1',
  fits: (value) => Number.isSafeInteger(value) && (value as number) > 0,
};
export const SIGNAL: Kind = {
  said: 'an AbortSignal',
  fits: (value) =>
    isObject(value) &&
    'aborted' in value &&
    typeof (value as { addEventListener?: unknown }).addEventListener === 'function',
};

export function oneOf(...choices: readonly string[]): Kind {
  const quoted = choices.map((choice) => `'${choice}'`);
  const said = `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1) ?? ''}`;
  return { said, fits: (value) => (choices as readonly unknown[]).includes(value) };
}

export function eitherOf(...kinds: readonly Kind[]): Kind {
  return {
    said: kinds.map(({ said }) => said).join(' or '),
    fits: (value) => kinds.some((kind) => kind.fits(value)),
  };
}

/** An object with methods of these names. */
export function objectWith(said: string, ...methods: readonly string[]): Kind {
  return {
    said,
    fits: (value) =>
      isObject(value) &&
      methods.every((name) => typeof (value as Record<string, unknown>)[name] === 'function'),
  };
}

/** @throws UsageError `usage/invalid-argument` */
export function requireKind(what: string, value: unknown, kind: Kind): void {
  if (!kind.fits(value)) throw invalid(`${what} must be ${kind.said}, not ${shown(value)}`);
}

/**
 * Options left out or undefined are the callee's to fill; every other must be of its kind, and one that
 * nobody knows is a slip of the pen whose silence would cost a write its priority.
 *
 * @throws UsageError `usage/invalid-argument`, naming the option
 */
export function requireOptions(where: string, options: unknown, kinds: Kinds<object>): void {
  if (!OBJECT.fits(options)) {
    throw invalid(`${where} takes its options as an object, not ${shown(options)}`);
  }
  for (const [name, value] of Object.entries(options as object)) {
    const kind = Object.hasOwn(kinds, name) ? (kinds as Record<string, Kind>)[name] : undefined;
    if (kind === undefined) {
      throw invalid(`${where} has no option ${name}; it has ${Object.keys(kinds).join(', ')}`);
    }
    if (value !== undefined && !kind.fits(value)) {
      const given = kind.isSecret === true ? `a ${typeof value}` : shown(value);
      throw invalid(`${where}: ${name} must be ${kind.said}, not ${given}`);
    }
  }
}

/** The options over the defaults: one that is undefined is one that is left out. */
export function withDefaults<T extends object>(defaults: T, options: Partial<T> | undefined): T {
  const given = Object.entries(options ?? {}).filter(([, value]) => value !== undefined);
  return { ...defaults, ...(Object.fromEntries(given) as Partial<T>) };
}

const SHOWN_LENGTH = 60;

/** Any value in a few characters, for errors. Calls nothing of the value's own, and so never throws. */
export function shown(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.length > SHOWN_LENGTH ? value.slice(0, SHOWN_LENGTH) : value);
    case 'bigint':
      return `${value}n`;
    case 'number':
    case 'boolean':
    case 'undefined':
      return String(value);
    case 'object':
      if (value === null) return 'null';
      return Array.isArray(value) ? 'a list' : 'an object';
    default:
      return `a ${typeof value}`;
  }
}

function invalid(message: string): UsageError {
  return new UsageError('usage/invalid-argument', message);
}
