/** A call of `defineBackgroundSync` in a source. */
export interface Definition {
  /** Outside of every function: a headless start comes by it. */
  readonly isAtModuleScope: boolean;
  /** The `id` it names; undefined if it names none, null if that is no plain text. */
  readonly id: string | null | undefined;
}

/** The source with comments gone and texts emptied, of the same length: positions stay. */
export function withoutTexts(source: string): string {
  const blank = (text: string): string => text.replace(/[^\n]/g, ' ');
  return source.replace(
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g,
    blank,
  );
}

/** The relative imports, in their order. */
export function relativeImports(source: string): readonly string[] {
  const found = source.matchAll(/(?:from|import|require\()\s*['"](\.[^'"]+)['"]/g);
  return Array.from(found, ([, specifier]) => specifier as string);
}

export function definitionsIn(source: string): readonly Definition[] {
  const code = withoutTexts(source);
  return Array.from(code.matchAll(/\bdefineBackgroundSync\s*\(/g), ({ index }) => {
    const end = endOfCall(code, index);
    return {
      isAtModuleScope: depthAt(code, index) === 0,
      id: idIn(source.slice(index, end), code.slice(index, end)),
    };
  });
}

/** The `id` of the object that a call is given, and of no object in it. */
function idIn(call: string, code: string): string | null | undefined {
  let depth = 0;
  const own = code.replace(/[^]/g, (character) => {
    if ('({['.includes(character)) depth += 1;
    const isOwn = depth === 2;
    if (')}]'.includes(character)) depth -= 1;
    return isOwn ? character : ' ';
  });
  const found = /[{,]\s*id\b/.exec(own);
  if (found === null) return undefined;
  return /^\s*:\s*(['"`])([^'"`$]+)\1/.exec(call.slice(found.index + found[0].length))?.[2] ?? null;
}

/**
 * The `id` that an app's configuration gives the plugin of this name, in JSON or in a source; undefined if it
 * names none, null if that is no plain text.
 */
export function pluginId(configuration: string, plugin: string): string | null | undefined {
  const named = `['"\`]${plugin.replace(/[^\w-]/g, '\\$&')}['"\`]`;
  const options = new RegExp(`\\[\\s*${named}\\s*,\\s*(\\{[^}]*\\}|[^\\]]+)`).exec(
    configuration,
  )?.[1];
  if (options === undefined) return undefined;
  if (!options.startsWith('{')) return null;
  const id = /[{,]\s*(?:id|'id'|"id")\s*(?::\s*(?:(['"`])([^'"`$]+)\1)?|[,}])/.exec(options);
  return id === null ? undefined : (id[2] ?? null);
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

function endOfCall(code: string, index: number): number {
  let depth = 0;
  for (let at = code.indexOf('(', index); at < code.length; at++) {
    if (code[at] === '(') depth += 1;
    if (code[at] === ')' && --depth === 0) return at;
  }
  return code.length;
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
