import { createContext, runInContext, type Context } from 'node:vm';
import builtins from './hermes-builtins.json' with { type: 'json' };

/** Names by the object that owns them, as Hermes 1.0 (250829098.0.16, of React Native 0.86) lists them. */
export const HERMES_BUILTINS: Readonly<Record<string, readonly string[]>> = builtins;

/** Takes from a fresh context what Hermes does not have. Runs in the context. */
const STRIP = `(() => {
  const owners = (${ownersOf.toString()})();
  const globals = new Set([...builtins.globalThis, 'globalThis', 'console']);
  for (const [owner, names] of Object.entries(builtins)) {
    const object = owners[owner];
    if (object === undefined || owner === 'globalThis') continue;
    const kept = new Set(names);
    for (const key of Reflect.ownKeys(object)) if (!kept.has(String(key))) delete object[key];
  }
  for (const name of Object.getOwnPropertyNames(globalThis))
    if (!globals.has(name)) delete globalThis[name];
})()`;

/** Builtin objects by the names in the list. Also run within the context, so that it must stand alone. */
export function ownersOf(): Record<string, object> {
  const owners: Record<string, object> = {};
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    if (!/^[A-Z]/.test(name)) continue;
    const value = (globalThis as unknown as Record<string, unknown>)[name];
    if ((typeof value !== 'function' && typeof value !== 'object') || value === null) continue;
    owners[name] = value;
    const { prototype } = value as { prototype?: object };
    if (prototype !== undefined) owners[`${name}.prototype`] = prototype;
  }
  const prototypeOf = (value: object): object => Object.getPrototypeOf(value) as object;
  owners['%ArrayIteratorPrototype%'] = prototypeOf([][Symbol.iterator]());
  owners['%IteratorPrototype%'] = prototypeOf(owners['%ArrayIteratorPrototype%']);
  owners['%MapIteratorPrototype%'] = prototypeOf(new Map().entries());
  owners['%SetIteratorPrototype%'] = prototypeOf(new Set().entries());
  owners['%StringIteratorPrototype%'] = prototypeOf(''[Symbol.iterator]());
  owners['%TypedArray%'] = prototypeOf(Uint8Array);
  owners['%TypedArray%.prototype'] = prototypeOf(Uint8Array.prototype);
  return owners;
}

/** A JavaScript context with what Hermes has, `globals`, and nothing else. */
export function hermesContext(globals: Readonly<Record<string, unknown>>): Context {
  const context = createContext({ builtins });
  runInContext(STRIP, context);
  return Object.assign(context, globals);
}
