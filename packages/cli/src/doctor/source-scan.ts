/** A call of `defineBackgroundSync` in a source. */
export interface Definition {
  /** Outside of every function: a headless start comes by it. */
  readonly isAtModuleScope: boolean;
  /** The `id` it names; undefined if it names none, null if that cannot be read. */
  readonly id: string | null | undefined;
}

/**
 * The source with comments gone and texts emptied, of the same length: positions stay. Of texts only the name
 * `id` is kept.
 */
export function withoutTexts(source: string): string {
  return source.replace(
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g,
    (text) => (text === `'id'` || text === `"id"` ? text : text.replace(/[^\n]/g, ' ')),
  );
}

/** The relative imports, in their order. */
export function relativeImports(source: string): readonly string[] {
  const found = source.matchAll(/(?:from|import|require\()\s*['"](\.[^'"]+)['"]/g);
  return Array.from(found, ([, specifier]) => specifier as string);
}

export function definitionsIn(source: string): readonly Definition[] {
  const code = withoutTexts(source);
  return Array.from(code.matchAll(/\bdefineBackgroundSync\s*\(\s*/g), ({ index, 0: call }) => {
    const argument = index + call.length;
    return {
      isAtModuleScope: depthAt(code, index) === 0,
      id: idIn(source.slice(argument), code.slice(argument)),
    };
  });
}

/**
 * The `id` of the object literal with which the source begins, and of no object in it; undefined if it names none,
 * null if that cannot be read here: in a variable, or spread into it.
 *
 * @param code the source without texts
 */
function idIn(source: string, code: string): string | null | undefined {
  if (!code.startsWith('{')) return null;
  let own = '';
  let depth = 0;
  for (const character of code.split('')) {
    if ('({['.includes(character)) depth += 1;
    own += depth === 1 ? character : ' ';
    if (')}]'.includes(character)) depth -= 1;
    if (depth === 0) break;
  }
  const found = /[{,]\s*(?:id\b|'id'|"id")/.exec(own);
  if (found === null) return own.includes('...') ? null : undefined;
  return (
    /^\s*:\s*(['"`])([^'"`$]+)\1/.exec(source.slice(found.index + found[0].length))?.[2] ?? null
  );
}

/**
 * The `id` that an app's configuration gives the plugin of this name, in JSON or in a source; undefined if it
 * names none, null if that cannot be read here.
 */
export function pluginId(configuration: string, plugin: string): string | null | undefined {
  const named = `['"\`]${plugin.replace(/[^\w-]/g, '\\$&')}['"\`]`;
  const found = new RegExp(`\\[\\s*${named}\\s*,\\s*`).exec(configuration);
  if (found === null) return undefined;
  const options = configuration.slice(found.index + found[0].length);
  // In a list of plugins the next one follows, or nothing.
  if (/^['"`[\]]/.test(options)) return undefined;
  return idIn(options, withoutTexts(options));
}

/** How many braces are open there. An object literal at module scope does not matter for a call in it. */
function depthAt(code: string, index: number): number {
  let depth = 0;
  for (const character of code.slice(0, index)) {
    if (character === '{') depth += 1;
    if (character === '}') depth -= 1;
  }
  return depth;
}

/** The texts of an array in an Info.plist; undefined if the key is not there. */
export function plistArray(plist: string, key: string): readonly string[] | undefined {
  const array = new RegExp(
    `<key>${key}</key>\\s*(?:<array\\s*/>|<array>([\\s\\S]*?)</array>)`,
  ).exec(plist);
  if (array === null) return undefined;
  return Array.from((array[1] ?? '').matchAll(/<string>([^<]*)<\/string>/g), ([, text]) =>
    (text as string).trim(),
  );
}
