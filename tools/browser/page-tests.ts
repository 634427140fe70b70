/**
 * The half of `runPageTests` that runs in the page: collects tests, and runs one when asked. The matchers
 * are those the suites of `nexus-store/testing` use.
 *
 * @module
 */
import type { Expectation, TestFunctions } from 'nexus-store/testing';
import { differences } from './equality.ts';

/** What `runPageTests` expects the script to export. */
export interface PageTests {
  /** The names of the tests, suites before them. */
  readonly names: () => readonly string[];
  /** Runs the nth test; what is wrong in words, undefined if it passes. */
  readonly run: (nth: number) => Promise<string | undefined>;
}

export function collectTests(define: (functions: TestFunctions) => void): PageTests {
  const suites: string[] = [];
  const collected: { readonly name: string; readonly body: () => Promise<void> }[] = [];
  define({
    describe: (name, body) => {
      suites.push(name);
      body();
      suites.pop();
    },
    test: (name, body) => void collected.push({ name: [...suites, name].join(' > '), body }),
    expect,
  });
  return {
    names: () => collected.map(({ name }) => name),
    run: async (nth) => {
      try {
        const chosen = collected[nth];
        if (chosen === undefined) throw new Error(`there is no test ${nth}`);
        await chosen.body();
        return undefined;
      } catch (error) {
        return error instanceof Error ? `${error.message}\n${error.stack}` : String(error);
      }
    },
  };
}

function expect(actual: unknown): Expectation {
  const check = (isFine: boolean, expected: unknown, how: string): void => {
    if (!isFine) throw new Error(`expected ${show(actual)} ${how} ${show(expected)}`);
  };
  const same = (expected: unknown, mode: 'equal' | 'match'): string | undefined =>
    differences(actual, expected, mode);
  return {
    toBe: (expected) => check(Object.is(actual, expected), expected, 'to be'),
    toEqual: (expected) => {
      const where = same(expected, 'equal');
      check(where === undefined, expected, `(at ${where}) to equal`);
    },
    toMatchObject: (expected) => {
      const where = same(expected, 'match');
      check(where === undefined, expected, `(at ${where}) to match`);
    },
  };
}

function show(value: unknown): string {
  const text = JSON.stringify(value, (_, part: unknown) => {
    if (part instanceof Error) return `${part.name}: ${part.message}`;
    return typeof part === 'bigint' || typeof part === 'function' ? String(part) : part;
  });
  return (text ?? String(value)).slice(0, 2_000);
}
