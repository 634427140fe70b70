import { objectWith, OBJECT, type Kind } from '../model/arguments.ts';

/** What apps pass for a port, told by its methods: it may come from another copy of the package. */
export const STORAGE: Kind = objectWith(
  'a storage, such as sqliteStorage({ path })',
  'open',
  'transact',
  'close',
);

export const BACKEND: Kind = objectWith('what createBackend made', 'open', 'sync', 'transaction');

export const LOGGER: Kind = objectWith('a logger with a method log', 'log');

const REMOTE_METHODS = objectWith(
  'a remote, such as httpRemote({ url })',
  'push',
  'pull',
  'listen',
  'close',
);

export const REMOTE: Kind = {
  said: REMOTE_METHODS.said,
  fits: (value) => REMOTE_METHODS.fits(value) && partFits(value, 'capabilities', OBJECT),
};

const PARTS: Readonly<Record<string, Kind>> = {
  clock: objectWith('a clock', 'now', 'elapsed'),
  timers: objectWith('timers', 'after', 'yield'),
  random: objectWith('a source of chance', 'float', 'uint32'),
  ids: objectWith('a source of ids', 'uuid'),
  logger: LOGGER,
};

export const RUNTIME: Kind = {
  said: `a runtime with ${Object.keys(PARTS).join(', ')}`,
  fits: (value) =>
    OBJECT.fits(value) &&
    Object.entries(PARTS).every(([name, kind]) => partFits(value, name, kind)),
};

function partFits(value: unknown, name: string, kind: Kind): boolean {
  return kind.fits((value as Readonly<Record<string, unknown>>)[name]);
}
