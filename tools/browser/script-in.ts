import type { Page } from 'playwright-core';

/** The functions a script exports, called from outside the page. */
export type ScriptFunctions<M> = {
  readonly [
    Name in keyof M as M[Name] extends (...args: never[]) => unknown ? Name : never
  ]: M[Name] extends (...args: infer Args) => infer Result
    ? (...args: Args) => Promise<Awaited<Result>>
    : never;
};

/**
 * The exports of a script of the site, callable from a test; arguments and results are copied as JSON
 * would, results also as Playwright does (dates, maps, undefined). Use this instead of an `import()` or an
 * imported name inside `page.evaluate`: vitest rewrites both into something the page does not have.
 *
 * @example
 * const notes = scriptIn<typeof import('./notes.page.ts')>(page, '/notes.js');
 * expect(await notes.countPending()).toBe(3);
 */
export function scriptIn<M extends object>(page: Page, path: string): ScriptFunctions<M> {
  const call = async (name: string, args: readonly unknown[]): Promise<unknown> => {
    const list = args.map((arg) => (arg === undefined ? 'undefined' : JSON.stringify(arg)));
    const from = JSON.stringify(path);
    return await page.evaluate(`import(${from}).then((script) => script.${name}(${list.join()}))`);
  };
  return new Proxy({} as ScriptFunctions<M>, {
    // A promise must not take the proxy for one of its kind.
    get: (_, name) =>
      typeof name === 'string' && name !== 'then'
        ? async (...args: unknown[]) => await call(name, args)
        : undefined,
  });
}
