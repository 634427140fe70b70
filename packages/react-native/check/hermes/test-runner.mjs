// Just enough of a test runner for an engine without modules and files: the test files of the core are bundled
// with this in the place of vitest. A matcher that is not here is no function, and fails its test.
const suites = [{ name: '', before: [], beforeAll: [], after: [], afterAll: [] }];
const tests = [];
let file = '';

/** Called at the top of each test file. */
export function inFile(path) {
  file = path;
}

const hook = (kind) => (body) => suites.at(-1)[kind].push(body);
export const beforeEach = hook('before');
export const beforeAll = hook('beforeAll');
export const afterEach = hook('after');
export const afterAll = hook('afterAll');

export function describe(name, body) {
  suites.push({ name: String(name), file, before: [], beforeAll: [], after: [], afterAll: [] });
  body();
  suites.pop();
}

export function test(name, ...rest) {
  const body = rest.find((one) => typeof one === 'function');
  tests.push({ file, name: String(name), body, suites: [fileSuite(), ...suites.slice(1)] });
}

/** Hooks outside of any `describe` belong to their file. */
const fileSuites = new Map();
function fileSuite() {
  const known = fileSuites.get(file) ?? { name: '', ...suites[0] };
  fileSuites.set(file, known);
  return known;
}
const own = new Map();
for (const kind of ['before', 'beforeAll', 'after', 'afterAll'])
  Object.defineProperty(suites[0], kind, {
    get: () => {
      const lists = own.get(file) ?? {};
      own.set(file, lists);
      lists[kind] ??= [];
      return lists[kind];
    },
    enumerable: true,
  });

test.skipIf = (isSkipped) => (isSkipped ? () => {} : test);
test.each = each(test);
describe.each = each(describe);

function each(define) {
  return (table) =>
    (name, ...rest) => {
      const body = rest.find((one) => typeof one === 'function');
      for (const [index, row] of table.entries()) {
        const values = Array.isArray(row) ? row : [row];
        define(titled(name, values, index), () => body(...values));
      }
    };
}

function titled(name, values, index) {
  let next = 0;
  return String(name)
    .replaceAll(/%[sdijo]/g, () => shown(values[next++]))
    .replaceAll(/\$([\w.]+)/g, (_, path) =>
      path === 'index'
        ? String(index)
        : shown(path.split('.').reduce((value, key) => value?.[key], values[0])),
    );
}

/** Runs all, in order, and resolves with the failures. */
export async function run(report) {
  const left = new Map();
  for (const { suites: path } of tests)
    for (const one of path) left.set(one, (left.get(one) ?? 0) + 1);
  const begun = new Set();
  let passed = 0;
  let failed = 0;
  for (const { file: from, name, body, suites: path } of tests) {
    const title = [from, ...path.map((one) => one.name), name]
      .filter((part) => part !== '')
      .join(' > ');
    try {
      for (const one of path) {
        if (begun.has(one)) continue;
        begun.add(one);
        for (const each of one.beforeAll) await each();
      }
      try {
        for (const one of path) for (const each of one.before) await each();
        await body();
      } finally {
        for (const one of path.toReversed()) for (const each of one.after) await each();
      }
      passed += 1;
    } catch (error) {
      failed += 1;
      report(`FAIL ${title}: ${error?.stack ?? String(error)}`);
    }
    for (const one of path) {
      left.set(one, left.get(one) - 1);
      if (left.get(one) === 0) for (const each of one.afterAll) await each();
    }
  }
  return { passed, failed };
}

// ---- expect --------------------------------------------------------------------------------------

class Matching {
  constructor(name, fits) {
    this.name = name;
    this.fits = fits;
  }
}

export function expect(actual) {
  const expectation = matchers(actual, false);
  expectation.not = matchers(actual, true);
  // Defined, not written as getters: a lowered spread would call them.
  Object.defineProperty(expectation, 'resolves', { get: () => later(Promise.resolve(actual)) });
  Object.defineProperty(expectation, 'rejects', { get: () => later(rejectionOf(actual), true) });
  return expectation;
}

async function rejectionOf(actual) {
  let value;
  try {
    value = await (typeof actual === 'function' ? actual() : actual);
  } catch (error) {
    return error;
  }
  throw new Error(`resolved with ${shown(value)} instead of rejecting`);
}
expect.objectContaining = (part) =>
  new Matching('objectContaining', (value) => contains(value, part));
expect.stringContaining = (part) =>
  new Matching('stringContaining', (value) => String(value).includes(part));
expect.stringMatching = (pattern) =>
  new Matching('stringMatching', (value) => new RegExp(pattern).test(String(value)));
expect.arrayContaining = (parts) =>
  new Matching('arrayContaining', (value) =>
    parts.every((part) => [...value].some((one) => equals(one, part))),
  );
expect.anything = () => new Matching('anything', (value) => value !== null && value !== undefined);
expect.any = (kind) =>
  new Matching('any', (value) => value instanceof kind || typeof value === kind.name.toLowerCase());

function later(promise, isError = false) {
  const names = Object.keys(matchers(undefined, false));
  const of = (isNot) =>
    Object.fromEntries(
      names.map((name) => [
        name,
        async (...args) => {
          const value = await promise;
          const subject =
            name.startsWith('toThrow') && isError
              ? () => {
                  throw value;
                }
              : value;
          matchers(subject, isNot)[name](...args);
        },
      ]),
    );
  return { ...of(false), not: of(true) };
}

function matchers(actual, isNot) {
  const check = (name, holds, expected) => {
    if (Boolean(holds) === isNot)
      throw new Error(`${shown(actual)} ${isNot ? 'not ' : ''}${name} ${shown(expected)}`);
  };
  const toThrow = (expected) => {
    let thrown;
    let hasThrown = false;
    try {
      actual();
    } catch (error) {
      thrown = error;
      hasThrown = true;
    }
    check('toThrow', hasThrown && isSuchError(thrown, expected), expected ?? thrown);
  };
  return {
    toBe: (expected) => check('toBe', Object.is(actual, expected), expected),
    toEqual: (expected) => check('toEqual', equals(actual, expected), expected),
    toStrictEqual: (expected) => check('toStrictEqual', equals(actual, expected), expected),
    toMatchObject: (expected) => check('toMatchObject', contains(actual, expected), expected),
    toBeGreaterThan: (limit) => check('>', actual > limit, limit),
    toBeGreaterThanOrEqual: (limit) => check('>=', actual >= limit, limit),
    toBeLessThan: (limit) => check('<', actual < limit, limit),
    toBeLessThanOrEqual: (limit) => check('<=', actual <= limit, limit),
    toBeCloseTo: (near, digits = 2) =>
      check('toBeCloseTo', Math.abs(actual - near) < 10 ** -digits / 2, near),
    toBeTypeOf: (kind) => check('typeof', typeof actual === kind, kind),
    toBeInstanceOf: (kind) => check('instanceof', actual instanceof kind, kind),
    toBeNull: () => check('toBeNull', actual === null),
    toBeUndefined: () => check('toBeUndefined', actual === undefined),
    toBeDefined: () => check('toBeDefined', actual !== undefined),
    toBeTruthy: () => check('toBeTruthy', actual),
    toBeFalsy: () => check('toBeFalsy', !actual),
    toContain: (part) =>
      check(
        'toContain',
        typeof actual === 'string' ? actual.includes(part) : [...actual].includes(part),
        part,
      ),
    toContainEqual: (part) =>
      check(
        'toContainEqual',
        [...actual].some((one) => equals(one, part)),
        part,
      ),
    toHaveLength: (length) => check('toHaveLength', actual.length === length, length),
    toMatch: (pattern) =>
      check(
        'toMatch',
        typeof pattern === 'string' ? actual.includes(pattern) : pattern.test(actual),
        pattern,
      ),
    toHaveProperty: (path, ...expected) => {
      const keys = Array.isArray(path) ? path : path.split('.');
      const found = keys.reduce((value, key) => value?.[key], actual);
      check(
        'toHaveProperty',
        expected.length > 0 ? equals(found, expected[0]) : found !== undefined,
        path,
      );
    },
    toBeNaN: () => check('toBeNaN', Number.isNaN(actual)),
    toBeOneOf: (list) =>
      check(
        'toBeOneOf',
        [...list].some((one) => equals(actual, one)),
        list,
      ),
    toSatisfy: (holds) => check('toSatisfy', holds(actual), holds),
    toThrow,
    toThrowError: toThrow,
  };
}

function isSuchError(error, expected) {
  if (expected === undefined) return true;
  const message = String(error?.message ?? error);
  if (typeof expected === 'string') return message.includes(expected);
  if (expected instanceof RegExp) return expected.test(message);
  if (typeof expected === 'function') return error instanceof expected;
  return contains(error, expected);
}

/** As vitest's `toEqual`: properties that are undefined may be missing. */
function equals(left, right) {
  if (right instanceof Matching) return right.fits(left);
  if (left instanceof Matching) return left.fits(right);
  if (Object.is(left, right)) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null)
    return false;
  if (left instanceof Date || right instanceof Date)
    return left instanceof Date && right instanceof Date && left.getTime() === right.getTime();
  if (left instanceof Error || right instanceof Error)
    return (
      left instanceof Error &&
      right instanceof Error &&
      left.name === right.name &&
      left.message === right.message
    );
  if (Array.isArray(left) !== Array.isArray(right)) return false;
  if (left instanceof Map || left instanceof Set) {
    if (left.constructor !== right.constructor || left.size !== right.size) return false;
    return equals([...left], [...right]);
  }
  if (ArrayBuffer.isView(left) || ArrayBuffer.isView(right)) {
    if (left.constructor !== right.constructor || left.length !== right.length) return false;
    return Array.from(left).every((value, index) => Object.is(value, right[index]));
  }
  if (Array.isArray(left)) {
    return (
      left.length === right.length && left.every((value, index) => equals(value, right[index]))
    );
  }
  const keys = (value) => Object.keys(value).filter((key) => value[key] !== undefined);
  const [mine, theirs] = [keys(left), keys(right)];
  return (
    mine.length === theirs.length &&
    mine.every((key) => key in right && equals(left[key], right[key]))
  );
}

function contains(value, part) {
  if (part instanceof Matching) return part.fits(value);
  if (typeof part !== 'object' || part === null || typeof value !== 'object' || value === null)
    return equals(value, part);
  if (Array.isArray(part)) {
    if (!Array.isArray(value) || value.length !== part.length) return false;
    return part.every((one, index) => contains(value[index], one));
  }
  const isPlain =
    Object.getPrototypeOf(part) === Object.prototype || Object.getPrototypeOf(part) === null;
  if (!isPlain) return equals(value, part);
  return Object.keys(part).every(
    (key) => (part[key] === undefined || key in value) && contains(value[key], part[key]),
  );
}

function shown(value) {
  if (typeof value === 'function') return value.name || 'a function';
  if (typeof value !== 'object' || value === null) return String(value);
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  try {
    const text = JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? `${one}n` : one));
    return (text ?? String(value)).slice(0, 400);
  } catch {
    return String(value);
  }
}
