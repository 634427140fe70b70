import { isNexusError } from '../core/model/errors.ts';

/** What JavaScript may hand over instead of an argument. TypeScript knows nothing of it here. */
export type Hostile = any; // oxlint-disable-line typescript/no-explicit-any

export const HOSTILE: Readonly<Record<string, Hostile>> = {
  undefined: undefined,
  null: null,
  zero: 0,
  negative: -1,
  NaN: Number.NaN,
  fraction: 1.5,
  huge: 1e99,
  'empty text': '',
  text: 'x',
  true: true,
  symbol: Symbol('s'),
  bigint: 10n,
  'empty list': [],
  'empty object': {},
  function: () => {},
  map: new Map(),
  'list of undefined': [undefined],
  'list of null': [null],
  'list of a number': [5],
  'object with an id': { id: 5 },
  'object without a prototype': Object.create(null),
  'object with a prototype key': JSON.parse('{"__proto__":{"x":1}}'),
  'object that cannot become a text': {
    toString: () => {
      throw new Error('no text');
    },
  },
};

export const UNDEFINED: readonly string[] = ['undefined'];
/** An object that says nothing. */
export const EMPTY: readonly string[] = [
  'undefined',
  'empty object',
  'map',
  'object without a prototype',
];
export const OBJECTS: readonly string[] = [
  'object with an id',
  'object without a prototype',
  'object with a prototype key',
];
export const IDS: readonly string[] = ['zero', 'negative', 'fraction', 'huge', 'text'];
export const LENGTHS: readonly string[] = ['undefined', 'zero', 'fraction', 'huge'];
export const LIMITS: readonly string[] = ['undefined', 'zero', 'fraction', 'huge'];
export const FLAGS: readonly string[] = ['undefined', 'true'];
export const FUNCTIONS: readonly string[] = ['undefined', 'function'];
export const PLAIN: readonly string[] = Object.keys(HOSTILE).filter(
  (name) => !['symbol', 'function', 'object that cannot become a text'].includes(name),
);

/** What the call does with a hostile argument, and which of them are none. */
export interface HostileCase {
  readonly call: (value: Hostile) => unknown;
  readonly accepts?: readonly string[];
  /** What the error must name. */
  readonly names?: string;
}

export function optionCases(
  where: string,
  call: (options: Hostile) => unknown,
  accepted: Readonly<Record<string, readonly string[]>>,
): Record<string, HostileCase> {
  return Object.fromEntries(
    Object.entries(accepted).map(([name, accepts]) => [
      `${where} { ${name}: x }`,
      { call: (value: Hostile) => call({ [name]: value }), accepts, names: name },
    ]),
  );
}

/** Resolves with the error of a call, undefined if there was none. */
export async function errorOf(call: () => unknown): Promise<unknown> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Codes of misuse; a store that has nothing under an id says so with one of its own. */
const CODES = /^usage\/|^queue\/claim-lost$|^store\/not-found$/;

/**
 * Calls with every hostile argument. Returns what went wrong: an error of another kind than the table
 * says, or without a code, or that does not name what is wrong. Empty if nothing did.
 */
export async function faultsOf(subject: HostileCase): Promise<readonly string[]> {
  const faults: string[] = [];
  for (const [name, value] of Object.entries(HOSTILE)) {
    const error = await errorOf(() => subject.call(value));
    const isAccepted = subject.accepts?.includes(name) === true;
    if (error === undefined) {
      if (!isAccepted) faults.push(`${name}: accepted`);
    } else if (!isNexusError(error)) {
      faults.push(`${name}: ${error instanceof Error ? error.stack : 'no error was thrown'}`);
    } else if (isAccepted) {
      faults.push(`${name}: refused, ${error.code} ${error.message}`);
    } else if (!CODES.test(error.code)) {
      faults.push(`${name}: ${error.code}`);
    } else if (!error.message.includes(subject.names ?? '')) {
      faults.push(`${name}: ${error.message}, without ${subject.names}`);
    }
  }
  return faults;
}
