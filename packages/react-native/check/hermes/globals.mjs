// What React Native adds to the engine, and nothing more, as far as the core may use it; then what only the
// tests and their fakes use.
import { AbortController, AbortSignal } from 'abort-controller';

const engine = globalThis;
Object.assign(engine, { AbortController, AbortSignal });
engine.queueMicrotask ??= (callback) => void Promise.resolve().then(callback);
engine.performance ??= { now: () => Date.now() };
const say = engine.print ?? (() => {});
const log = (...parts) => say(parts.map(String).join(' '));
engine.console ??= {};
for (const name of ['log', 'info', 'warn', 'error', 'debug']) engine.console[name] ??= log;
engine.console.assert ??= () => {};

engine.process = { env: {} };
// The bridge of the fake native module.
engine.structuredClone = function clone(value) {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(clone);
  if (value instanceof Date) return new Date(value);
  if (value instanceof Map) return new Map([...value].map(clone));
  if (value instanceof Set) return new Set([...value].map(clone));
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, clone(one)]));
};
